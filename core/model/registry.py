"""Where models are kept: a folder or an S3 prefix of immutable artefacts, and the history of which one was promoted.

    <name>/<sha256 of card.json>/model.keras, card.json
                                     int8.xml, int8.bin, int8.json where the model was quantised
    promoted.json, promotions/       see `core.model.promotions`

A card names its weights by sha256, so its own sha256 names the whole artefact.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from core.domain import PhotoStore
from core.errors import ModelUnusable, PhotoMissing, PhotoRefused, PromotionRefused
from core.model.artefact import CARD_FILE, MAX_ARTEFACT_BYTES, WEIGHTS_FILE, Artefact, open_artefact, verify_weights
from core.model.card import Card, parse_card
from core.model.promotions import HISTORY_KEY, Promotion, add_promotion, read_promotions
from core.model.quantised import QUANTISED_CARD_FILE, QUANTISED_FILES, verified_graph
from core.storage.address import open_store
from core.storage.options import S3Options

_CARD_KEY = re.compile(rf"(?P<name>[^/]+)/(?P<sha256>[0-9a-f]{{64}})/{re.escape(CARD_FILE)}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A published model."""

    card: Card
    card_sha256: str

    @property
    def reference(self) -> str:
        """How a person names it: name@start-of-sha256."""
        return f"{self.card.name}@{self.card_sha256[:12]}"

    @property
    def folder(self) -> str:
        """Its place in the registry, with a trailing slash."""
        return f"{self.card.name}/{self.card_sha256}/"


class Registry:
    """Models in a store. Every method raises what the store raises, and `ModelUnusable`.

    Of two promotions at the same moment one is refused.
    """

    def __init__(self, store: PhotoStore) -> None:
        self._store = store

    def entries(self) -> Iterator[Entry]:
        """All published models, by name. What has no card yet is still being published and is left out."""
        for stored in self._store.list():
            if (match := _CARD_KEY.fullmatch(stored.key)) and stored.size <= MAX_ARTEFACT_BYTES:
                yield self._entry(stored.key, match["sha256"])

    def find(self, reference: str) -> Entry:
        """The one model meant by `name`, `name@sha256` or `sha256`, where the start of a sha256 is enough."""
        name, _, sha256 = reference.rpartition("@")
        matches = [
            entry
            for entry in self.entries()
            if (entry.card.name == reference and not name)
            or (name in ("", entry.card.name) and sha256 and entry.card_sha256.startswith(sha256))
        ]
        if len(matches) != 1:
            many = ", ".join(entry.reference for entry in matches or self.entries()) or "nothing"
            what = "fits several models" if matches else "is not in the registry"
            raise ModelUnusable(f"{reference} {what}; choose one of: {many}")
        return matches[0]

    def publish(self, artefact: Artefact) -> Entry:
        """Copy a verified artefact in, its card last, which makes it visible. Publishing it again changes nothing."""
        open_artefact(artefact.folder)
        text = (artefact.folder / CARD_FILE).read_bytes()
        entry = Entry(parse_card(text, str(artefact.folder / CARD_FILE)), hashlib.sha256(text).hexdigest())
        if self._store.stat(entry.folder + CARD_FILE) is None:
            self._store.write(entry.folder + WEIGHTS_FILE, artefact.weights_path.read_bytes())
            self._store.write(entry.folder + CARD_FILE, text, content_type="application/json")
        if (artefact.folder / QUANTISED_CARD_FILE).exists() and not self._holds_quantised(entry):
            verified_graph(artefact)
            for file in QUANTISED_FILES:
                self._store.write(entry.folder + file, (artefact.folder / file).read_bytes())
        return entry

    def verify(self, entry: Entry) -> None:
        """Read the artefact whole and check it against its card."""
        verify_weights(self._read(entry.folder + WEIGHTS_FILE), entry.card, self._place(entry.folder + WEIGHTS_FILE))

    def history(self) -> tuple[Promotion, ...]:
        """All promotions and rollbacks, oldest first."""
        return read_promotions(self._store)

    def promoted(self) -> Entry | None:
        """The model that workers should run, or None before the first promotion."""
        return self._promoted_last(self.history())

    def _promoted_last(self, history: tuple[Promotion, ...]) -> Entry | None:
        return self._promoted_entry(history[-1]) if history else None

    def promote(self, reference: str, *, who: str, reason: str, now: datetime, force: bool = False) -> Promotion:
        """Make a model the promoted one.

        Raises `PromotionRefused` where its recall on any set named in the promoted model's card is lower or unknown,
        unless `force` comes with a reason, where it is promoted already, and where another was promoted meanwhile.
        """
        history = self.history()
        candidate, current = self.find(reference), self._promoted_last(history)
        self.verify(candidate)
        if current is not None and current.card_sha256 == candidate.card_sha256:
            raise PromotionRefused(f"{candidate.reference} is the promoted model already")
        losses = [] if current is None else list(recall_losses(candidate.card, current.card))
        if losses and not force:
            raise PromotionRefused(
                f"{candidate.reference} would find less damage than {current.reference if current else 'none'}: "
                f"{'; '.join(losses)}; force it with a reason if that is wanted"
            )
        if force and not reason.strip():
            raise PromotionRefused("a forced promotion needs a reason, which is recorded")
        return self._record(history, "promote", candidate, who, reason, now, forced=bool(losses))

    def rollback(self, *, who: str, reason: str, now: datetime) -> Promotion:
        """Promote what was promoted before; once more, the one before that.

        Raises `PromotionRefused` at the end, and where another was promoted meanwhile.
        """
        history = self.history()
        in_force: list[Promotion] = []
        for promotion in history:
            if promotion.action == "promote":
                in_force.append(promotion)
            else:
                in_force.pop()
        if len(in_force) < 2:
            raise PromotionRefused("there is no earlier model to go back to")
        return self._record(history, "rollback", self._promoted_entry(in_force[-2]), who, reason, now, forced=False)

    def fetch(self, entry: Entry, cache: Path) -> Artefact:
        """Copy a model to the cache folder and verify it; a copy that is there and whole is used as it is."""
        folder = cache / entry.card.name / entry.card_sha256
        try:
            return self._with_quantised(entry, open_artefact(folder))
        except ModelUnusable:
            shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder.parent))
        try:
            for file in (WEIGHTS_FILE, CARD_FILE):
                (temporary / file).write_bytes(self._read(entry.folder + file))
            open_artefact(temporary)
            if not folder.exists():  # another process may have been faster
                temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return self._with_quantised(entry, open_artefact(folder))

    def _holds_quantised(self, entry: Entry) -> bool:
        return self._store.stat(entry.folder + QUANTISED_CARD_FILE) is not None

    def _with_quantised(self, entry: Entry, artefact: Artefact) -> Artefact:
        """The cached artefact with its int8 graph copied beside it, if the registry holds one; checked when loaded."""
        if not (artefact.folder / QUANTISED_CARD_FILE).exists() and self._holds_quantised(entry):
            for file in QUANTISED_FILES:
                with tempfile.NamedTemporaryFile(dir=artefact.folder, delete=False) as temporary:
                    temporary.write(self._read(entry.folder + file))
                Path(temporary.name).replace(artefact.folder / file)
        return artefact

    def _record(
        self,
        history: tuple[Promotion, ...],
        action: Literal["promote", "rollback"],
        entry: Entry,
        who: str,
        reason: str,
        now: datetime,
        *,
        forced: bool,
    ) -> Promotion:
        promotion = Promotion(
            action=action,
            name=entry.card.name,
            card_sha256=entry.card_sha256,
            at=now,
            who=who,
            reason=reason,
            forced=forced,
        )
        add_promotion(self._store, history, promotion)
        return promotion

    def _promoted_entry(self, promotion: Promotion) -> Entry:
        return self._entry(f"{promotion.name}/{promotion.card_sha256}/{CARD_FILE}", promotion.card_sha256)

    def _entry(self, key: str, card_sha256: str) -> Entry:
        text = self._read(key)
        if hashlib.sha256(text).hexdigest() != card_sha256:
            raise ModelUnusable(f"{self._place(key)} was changed after it was published; publish the artefact again")
        return Entry(parse_card(text, self._place(key)), card_sha256)

    def _read(self, key: str) -> bytes:
        try:
            return self._store.read(key, max_bytes=MAX_ARTEFACT_BYTES).data
        except (PhotoMissing, PhotoRefused) as error:
            raise ModelUnusable(f"{self._place(key)} is missing or too large; publish the artefact again") from error

    def _place(self, key: str) -> str:
        return f"{self._store.name}/{key}"


def recall_losses(candidate: Card, current: Card) -> Iterator[str]:
    """In words, each named set on which the candidate's recall is lower than the current model's, or unknown."""
    for name, metrics in current.metrics.items():
        before = metrics.measures.get("recall")
        if before is None:
            continue
        known = candidate.metrics.get(name)
        after = known.measures.get("recall") if known else None
        if after is None:
            yield f"its recall on {name} is unknown"
        elif after.value < before.value:
            yield f"recall on {name} is {after.value:.3f}, not {before.value:.3f}"


def open_registry(address: str, options: S3Options | None = None) -> Registry:
    """The registry in a folder or at s3://bucket/prefix. Raises `SettingsInvalid`, `StoreRefused`."""
    return Registry(open_store(address, options or S3Options()))


def open_model(address: str, options: S3Options, cache: Path) -> Artefact:
    """The verified artefact at an address: its own folder, or the promoted one of a registry (a folder or s3://...).

    What comes from S3 is kept in `cache`. Raises `ModelUnusable`, and what the store raises.
    """
    if "://" not in address:
        folder = Path(address).expanduser()
        if not (folder / HISTORY_KEY).is_file():
            return open_artefact(folder)
        return open_artefact(folder / _promoted(address, open_registry(address)).folder)
    registry = open_registry(address, options)
    return registry.fetch(_promoted(address, registry), cache.expanduser())


def _promoted(address: str, registry: Registry) -> Entry:
    entry = registry.promoted()
    if entry is None:
        raise ModelUnusable(f"no model is promoted in {address}; run `walkaround model promote NAME {address}`")
    return entry
