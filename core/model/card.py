"""The card of a model: what it is, what it was trained on, how good it is, and how its output is read."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from core.canonical import sha256_of
from core.domain import ModelIdentity, ViewPlan
from core.errors import ModelUnusable
from core.model.evidence import Evidence
from core.model.pooling import Pooling
from core.model.vehicle import VehicleSpace
from core.policy import Policy

Share = Annotated[float, Field(ge=0, le=1)]
# What a clear photo must stay below: the threshold at which so many of the damaged validation photos are found.
CLEAR_RECALL = 0.95
MeasureName = Literal[
    "accuracy", "recall", "specificity", "auroc", "recall_at_specificity_90", "loss", "expected_calibration_error"
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSpec(_Part):
    """What the network sees of a photo: the views of a `ViewPlan`; with `flip` each mirrored too and both averaged."""

    size: int = Field(default=224, ge=32, le=1024)
    tiles: int = Field(default=0, ge=0, le=8)
    tile_share: float = Field(default=0.6, gt=0, le=1)
    flip: bool = False

    @property
    def plan(self) -> ViewPlan:
        """The views as the decoder makes them."""
        return ViewPlan(self.size, self.tiles, self.tile_share)


class OperatingPoint(_Part):
    """A threshold on the calibrated probability, chosen on validation for a stated recall; its specificity."""

    threshold: Share
    recall: Share
    specificity: Share


class Thresholds(_Part):
    """`photo`: at or above this calibrated probability a photo counts as damaged; `points`: the choices there were."""

    photo: Share = 0.5
    points: tuple[OperatingPoint, ...] = ()


class TrainingSource(_Part):
    """One source of training photos, with its licence in plain words."""

    source: str
    licence: str
    photos: int = Field(ge=0)
    damaged: int = Field(ge=0)


class Measure(_Part):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class MetricSet(_Part):
    """How the model did on one named set of photos."""

    photos: int = Field(ge=0)
    damaged: int = Field(ge=0)
    measures: dict[MeasureName, Measure] = {}


class Fitted(_Part):
    """What `walkaround model fit` learnt on labelled photos that the weights never saw: the rule, and what it saw."""

    policy: Policy
    vehicle: VehicleSpace | None = None
    photos: int = Field(ge=0)
    intact: int = Field(ge=0)
    view: str


class Outlines(_Part):
    """The branch that says where the damage is: its map's `cells` a side, the kinds it names, how it enters the logit.

    `recipe` and `metrics` say how it was trained and what it came to on outlined photos.
    """

    cells: int = Field(ge=1)
    kinds: tuple[str, ...]
    parameters: int = Field(gt=0)
    evidence: Evidence = Evidence()
    recipe: dict[str, JsonValue] = {}
    metrics: dict[str, float] = {}


class Description(_Part):
    """Everything a card says besides its weights: what training hands to `core.model.artefact.save_artefact`."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    created_at: AwareDatetime
    labels: tuple[Literal["intact"], Literal["damaged"]] = ("intact", "damaged")
    input: InputSpec = InputSpec()
    preprocessing: str = Field(min_length=1)
    pooling: Pooling = Pooling()
    outlines: Outlines | None = None
    temperature: float = Field(default=1.0, gt=0)
    thresholds: Thresholds = Thresholds()
    fitted: Fitted | None = None
    training: tuple[TrainingSource, ...] = ()
    recipe: dict[str, JsonValue] = {}
    metrics: dict[str, MetricSet] = {}
    git_revision: str = "unknown"

    @model_validator(mode="after")
    def _pooling_fits_views(self) -> Self:
        if self.pooling.needs_tiles and not self.input.tiles:
            raise ValueError("pooling weighs tiles, but input.tiles is 0")
        if self.outlines is not None and self.outlines.evidence.cells > self.outlines.cells**2:
            raise ValueError("outlines.evidence.cells counts more cells than the map has")
        return self


class Card(Description):
    """card.json: the description, bound to its weights. `parameters` counts all weights but the branch's."""

    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    parameters: int = Field(gt=0)

    @property
    def preprocess_sha256(self) -> str:
        """Hash of what changes a prediction while the weights stay: input, pooling, evidence, temperature."""
        parts = self.model_dump(mode="json", include={"preprocessing", "input", "pooling", "temperature"})
        if self.outlines is not None:
            parts["evidence"] = self.outlines.evidence.model_dump(mode="json")
        space = self.fitted.vehicle if self.fitted else None
        return sha256_of(parts | ({"vehicle": space.model_dump(mode="json")} if space else {}))

    @property
    def policy(self) -> Policy:
        """The fitted rule; without one that of its thresholds: damaged from the photo's on, clear below 95 % recall."""
        if self.fitted is not None:
            return self.fitted.policy
        photo = max(self.thresholds.photo, 1e-6)
        sensitive = [point.threshold for point in self.thresholds.points if point.recall >= CLEAR_RECALL]
        return Policy(damaged_at=photo, clear_below=min(photo, max(sensitive, default=photo)))

    @property
    def identity(self) -> ModelIdentity:
        """The model as the database knows it."""
        return ModelIdentity(self.name, self.weights_sha256, self.preprocess_sha256)

    def to_json(self) -> str:
        """The text of card.json."""
        return self.model_dump_json(indent=2) + "\n"


def parse_card(text: str | bytes, origin: str) -> Card:
    """Read card.json; `origin` is how errors name it. Raises `ModelUnusable`."""
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise ModelUnusable(
            f"{origin} is not a valid model card: {where}: {first['msg']} ({error.error_count()} problem(s) in all); "
            "restore it from the registry, or save the model again with `walkaround model train`"
        ) from error
