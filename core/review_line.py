"""A person's decision on a return as a line of JSON: how reviews come in from elsewhere, and how they go out."""

import hashlib
from collections.abc import Iterable
from datetime import UTC
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from core.canonical import canonical_json, sha256_of
from core.domain import Label
from core.errors import ReviewRefused
from core.object_kinds import REVIEWS

MAX_LINE_BYTES = 1_000_000
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class VersionRef(BaseModel):
    """A model version by what it is made of, so that it is found in any database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weights_sha256: _Sha256
    preprocess_sha256: _Sha256
    policy_sha256: _Sha256


class ReviewLine(BaseModel):
    """One decision. `set_key` names the return within its store; all that may be absent has a sensible meaning.

    `key` identifies the decision, so that importing it again adds nothing; absent, it follows from the line's content.
    `generation` is the content that the reviewer saw; absent, the current one. `photos_sha256` tells that content by
    itself (`photos_sha256()`), for each database counts generations from 1. `verdict_by` is the model version whose
    verdict was on the screen: absent, the active one's; null, none. `boxes` are kept as they are. `reviewed_at` is
    absent for a decision made just now.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: _Name | None = None
    set_key: str = Field(max_length=1024)
    generation: int | None = Field(default=None, ge=1, lt=2**31)
    photos_sha256: _Sha256 | None = None
    verdict_by: VersionRef | None = None
    label: Label
    reason_code: _Name
    reviewer: _Name
    boxes: list[dict[str, JsonValue]] | None = None
    reviewed_at: AwareDatetime | None = None

    @property
    def idempotency_key(self) -> str:
        """The line's own key, or a hash of its content: imported twice, it is the same decision."""
        return self.key or f"line:{sha256_of(self.model_dump(mode='json', exclude_unset=True))}"

    @property
    def names_verdict(self) -> bool:
        """Whether the line says which verdict was seen, or that none was."""
        return "verdict_by" in self.model_fields_set

    @property
    def object_key(self) -> str:
        """Where the decision lies in a store; it follows from its key and its month, in any database the same.

        Raises `ReviewRefused` where it has no key or time: only what was recorded has a place.
        """
        if self.key is None or self.reviewed_at is None:
            raise ReviewRefused("key or reviewed_at is missing; take it in by `walkaround review import`")
        at = self.reviewed_at.astimezone(UTC)
        return f"{REVIEWS}{at.year:04}-{at.month:02}/{hashlib.sha256(self.key.encode()).hexdigest()}.json"

    def to_json(self) -> str:
        """The line, without its line end."""
        return canonical_json(self.model_dump(mode="json"))


def photos_sha256(versions: Iterable[tuple[str, str]]) -> str:
    """What tells a return's content in any database: a hash of its photos' object keys and ETags, in any order."""
    return sha256_of(sorted(list(version) for version in versions))


def parse_review(text: bytes) -> ReviewLine:
    """Read one line. Raises `ReviewRefused`, which says what to mend."""
    if len(text) > MAX_LINE_BYTES:
        raise ReviewRefused(f"the line has more than {MAX_LINE_BYTES:,} bytes; write one decision a line")
    try:
        return ReviewLine.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise ReviewRefused(
                'it is not JSON; write {"set_key": ..., "label": ..., "reason_code": ..., "reviewer": ...}'
            ) from error
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        what = {"missing": "is missing; add it", "extra_forbidden": "is no field of a review; take it out"}
        problem = what.get(first["type"], f"{first['msg'][0].lower()}{first['msg'][1:]}; correct it")
        raise ReviewRefused(f"{where}: {problem}") from error
