"""The history of promotions in a registry's store: which model was the promoted one, from when on, by whom and why.

promoted.json              the history as it was last written
promotions/000001.json     each promotion by itself, created once: of two at the same moment one is refused
"""

from typing import Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from core.domain import PhotoStore
from core.errors import ModelUnusable, PhotoMissing, PhotoRefused, PromotionRefused

HISTORY_KEY = "promoted.json"
MAX_HISTORY_BYTES = 10_000_000


class Promotion(BaseModel):
    """One line of the history: from `at` on this model was the promoted one, by whose decision and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["promote", "rollback"]
    name: str
    card_sha256: str
    at: AwareDatetime
    who: str
    reason: str
    forced: bool = False


class _History(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    promotions: tuple[Promotion, ...] = ()


Parsed = TypeVar("Parsed", bound=BaseModel)


def read_promotions(store: PhotoStore) -> tuple[Promotion, ...]:
    """All promotions and rollbacks, oldest first: what `promoted.json` holds, and what was created after that.

    Raises `ModelUnusable` where one cannot be read, and what the store raises.
    """
    written = _parsed(store, HISTORY_KEY, _History)
    promotions = list(written.promotions) if written else []
    while later := _parsed(store, _key(len(promotions) + 1), Promotion):
        promotions.append(later)
    return tuple(promotions)


def add_promotion(store: PhotoStore, seen: tuple[Promotion, ...], promotion: Promotion) -> None:
    """Add a promotion that was decided on by whoever had `seen` the history so far.

    Raises `PromotionRefused` where the history has grown since, and what the store raises.
    """
    if not store.create(_key(len(seen) + 1), _json(promotion), content_type="application/json"):
        raise PromotionRefused("another model was promoted at the same moment; look at the history and decide again")
    store.write(HISTORY_KEY, _json(_History(promotions=(*seen, promotion))), content_type="application/json")


def _parsed(store: PhotoStore, key: str, kind: type[Parsed]) -> Parsed | None:
    if store.stat(key) is None:
        return None
    try:
        return kind.model_validate_json(store.read(key, max_bytes=MAX_HISTORY_BYTES).data)
    except (ValidationError, PhotoMissing, PhotoRefused) as error:
        raise ModelUnusable(f"{store.name}/{key} is not readable; restore it from a backup") from error


def _key(number: int) -> str:
    return f"promotions/{number:06}.json"


def _json(model: BaseModel) -> bytes:
    return (model.model_dump_json(indent=2) + "\n").encode()
