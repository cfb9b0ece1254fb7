"""The policy: a declarative, versioned document of how the photos of a return make its verdict."""

import hashlib
import math
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.canonical import canonical_json, sha256_of
from core.errors import PolicyInvalid

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(gt=0, le=1)]
# A share of intact photos and the logit it reaches; JSON has lists and no tuples.
Level = Annotated[tuple[Share, float], Field(strict=False)]
# Decimals of a threshold: enough for any model, few enough that no processor's rounding can change a verdict.
_DECIMALS = 6


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class IntactPhotos(_Part):
    """How suspicious photos of intact vehicles look to the model: the share of them that reaches a calibrated logit.

    `levels` are (share, logit) with the share falling; below the last level the share falls off as
    share * exp(-(logit - last logit) / `tail_scale`), because no sample is large enough to count rare values.
    """

    photos: int = Field(ge=1)
    levels: tuple[Level, ...] = Field(min_length=1, strict=False)
    tail_scale: float = Field(gt=0)

    @model_validator(mode="after")
    def _falling(self) -> Self:
        for (share, logit), (next_share, next_logit) in zip(self.levels, self.levels[1:], strict=False):
            if next_share >= share or next_logit < logit:
                raise ValueError("levels must have falling shares and logits that do not fall")
        return self

    def logit_reached_by(self, share: float) -> float:
        """The logit that this share of intact photos reaches; the first level's for any greater share."""
        last_share, last_logit = self.levels[-1]
        if share <= last_share:
            return last_logit + self.tail_scale * math.log(last_share / share)
        for (upper, low), (lower, high) in zip(self.levels, self.levels[1:], strict=False):
            if lower <= share <= upper:
                return low + (high - low) * (upper - share) / (upper - lower)
        return self.levels[0][1]

    def share_reaching(self, probability: float) -> float:
        """The share of intact photos at least as suspicious as this calibrated probability; 1 below the first level."""
        logit = _logit(probability)
        last_share, last_logit = self.levels[-1]
        if logit >= last_logit:
            return last_share * math.exp(-(logit - last_logit) / self.tail_scale)
        for (upper, low), (lower, high) in zip(self.levels, self.levels[1:], strict=False):
            if low <= logit < high:
                return upper - (upper - lower) * (logit - low) / (high - low)
        return 1.0


class FalseAlarms(_Part):
    """Thresholds that follow the number of photos, so that as many intact returns of any size raise an alarm.

    Of intact returns `damaged_rate` are called damaged and `undecided_rate` are not called clear (both at most, where
    the policy's own thresholds are higher). `most_photos` bounds how far a return's size can raise the thresholds, so
    that damage cannot be hidden among hundreds of photos.
    """

    damaged_rate: Share
    undecided_rate: Share
    most_photos: int = Field(default=40, ge=1)
    intact: IntactPhotos

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.damaged_rate > self.undecided_rate:
            raise ValueError("damaged_rate must not exceed undecided_rate")
        return self


class ViewRule(_Part):
    """What differs for photos whose file name says what they show.

    Serving knows nothing else about a view: `files` are patterns for the last part of an object's key, in lower
    case, as in `front*` or `*_whole.jpg`. A field that is absent has the value of the policy.
    """

    name: str = Field(min_length=1)
    files: tuple[str, ...] = Field(default=(), strict=False)
    damaged_at: Probability | None = None
    clear_below: Probability | None = None
    intact: IntactPhotos | None = None


class AuditSample(_Part):
    """The share of clear returns that people check anyway, chosen by a hash of `seed` and the return."""

    share: float = Field(default=0.0, ge=0, le=1)
    seed: int = 0


class Policy(_Part):
    """How photos make a verdict. Its hash is part of a model version, so that a verdict names its policy.

    `damaged_at` and `clear_below` are the least thresholds of any photo; `false_alarms` raises them with the number of
    photos, and without it any one photo decides. Photos whose perceptual hashes differ in at most `same_photo_within`
    of 256 bits count once. A photo whose features lie further than `vehicle_within` from those of vehicles shows
    something else: it cannot make a return damaged, and a return of such photos alone is undecided. `undecided_when`
    names what else keeps a return from being clear; photos that could not be scored and an incomplete set always do.
    """

    version: Literal[1] = 1
    damaged_at: Probability
    clear_below: Probability
    false_alarms: FalseAlarms | None = None
    views: tuple[ViewRule, ...] = Field(default=(), strict=False)
    same_photo_within: int = Field(default=36, ge=0, le=64)
    vehicle_within: float | None = Field(default=None, gt=0)
    undecided_when: tuple[Literal["photo_reused", "photo_shows_no_vehicle"], ...] = Field(default=(), strict=False)
    least_photos: int = Field(default=1, ge=1)
    audit: AuditSample = AuditSample()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for view in (None, *self.views):
            if self._least(view, "clear_below") > self._least(view, "damaged_at"):
                raise ValueError(f"clear_below must not exceed damaged_at{f' in view {view.name}' if view else ''}")
        if len({view.name for view in self.views}) < len(self.views):
            raise ValueError("two views have the same name")
        return self

    @property
    def sha256(self) -> str:
        """The hash of its canonical JSON: it names the version of the policy."""
        return sha256_of(self.model_dump(mode="json"))

    def view_of(self, key: str) -> ViewRule | None:
        """The first view whose patterns fit the object's file name; None where its name says nothing."""
        name = key.rpartition("/")[2].lower()
        return next((view for view in self.views if any(fnmatchcase(name, wanted) for wanted in view.files)), None)

    def ranks(self, photos: int) -> range:
        """How many photos together may decide, of so many distinct ones: any one alone, where no rates are set."""
        return range(1, 2) if self.false_alarms is None else range(1, min(photos, self.false_alarms.most_photos) + 1)

    def damaged_at_rank(self, rank: int, photos: int, view: ViewRule | None = None) -> float:
        """The probability that `rank` of so many distinct photos must reach for the return to be damaged."""
        rate = self.false_alarms.damaged_rate if self.false_alarms else None
        return max(self._least(view, "damaged_at"), self._threshold(rate, rank, photos, view))

    def clear_below_rank(self, rank: int, photos: int, view: ViewRule | None = None) -> float:
        """The probability that fewer than `rank` of so many distinct photos may reach for the return to be clear."""
        rate = self.false_alarms.undecided_rate if self.false_alarms else None
        return max(self._least(view, "clear_below"), self._threshold(rate, rank, photos, view))

    def intact_of(self, view: ViewRule | None) -> IntactPhotos | None:
        """What photos of this view are compared with; None where no rates are set."""
        return (view.intact if view and view.intact else self.false_alarms.intact) if self.false_alarms else None

    def counted(self, photos: int) -> int:
        """The number of photos that thresholds follow."""
        return min(photos, self.false_alarms.most_photos) if self.false_alarms else photos

    def _least(self, view: ViewRule | None, name: Literal["damaged_at", "clear_below"]) -> float:
        own = getattr(view, name) if view else None
        return float(getattr(self, name) if own is None else own)

    def _threshold(self, rate: float | None, rank: int, photos: int, view: ViewRule | None) -> float:
        """Simes (1986): `rank` of n p-values at rate * rank / n or less, for any rank, has probability `rate`."""
        intact = self.intact_of(view)
        if rate is None or intact is None:
            return 0.0
        logit = intact.logit_reached_by(rate * rank / self.counted(photos))
        return round(1.0 / (1.0 + math.exp(-logit)), _DECIMALS)


def is_sampled(audit: AuditSample, set_key: str, generation: int) -> bool:
    """Whether a clear return belongs to the audit's sample: always the same answer, and as good as random."""
    digest = hashlib.sha256(canonical_json([audit.seed, set_key, generation]).encode()).digest()
    return int.from_bytes(digest[:8], "big") < audit.share * 2**64


def read_policy(path: Path) -> Policy:
    """A policy file, JSON. Raises `PolicyInvalid`, which names the file and the first field that is wrong."""
    try:
        return Policy.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PolicyInvalid(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        message = first["msg"].removeprefix("Value error, ")
        raise PolicyInvalid(
            f"{path} is not a valid policy: {where}: {message} ({error.error_count()} problem(s) in all); "
            "`walkaround model policy` prints one to start from"
        ) from error


def _logit(probability: float) -> float:
    if probability <= 0 or probability >= 1:
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))
