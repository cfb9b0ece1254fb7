from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.domain import PhotoStore
from core.errors import ModelUnusable, PromotionRefused
from core.model.artefact import CARD_FILE, WEIGHTS_FILE, Artefact, file_sha256
from core.model.card import Measure, MetricSet
from core.model.promotions import HISTORY_KEY
from core.model.quantised import CONSTANTS_FILE, GRAPH_FILE, QUANTISED_CARD_FILE, QuantisedCard, verified_graph
from core.model.registry import Entry, Registry, open_model, open_registry
from core.storage.folder import FolderPhotoStore
from core.storage.options import S3Options
from core.testing.memory_store import MemoryPhotoStore

NOW = datetime(2026, 3, 4, tzinfo=UTC)
MakeArtefact = Callable[..., Artefact]


def recalls(**values: float) -> dict[str, MetricSet]:
    return {
        name: MetricSet(photos=100, damaged=50, measures={"recall": Measure(value=value, low=0, high=1)})
        for name, value in values.items()
    }


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PhotoStore:
    return MemoryPhotoStore() if request.param == "memory" else FolderPhotoStore(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def registry(store: PhotoStore) -> Registry:
    return Registry(store)


def promote(registry: Registry, reference: str, **options: Any) -> Any:
    return registry.promote(reference, **{"who": "ada", "reason": "better", "now": NOW, **options})


def test_published_models_are_listed_and_whole(registry: Registry, make_artefact: MakeArtefact) -> None:
    published = [registry.publish(make_artefact(name)) for name in ("second", "first")]
    assert sorted(published, key=lambda entry: entry.card.name) == list(registry.entries())
    for entry in published:
        registry.verify(entry)


def test_publishing_again_changes_nothing(registry: Registry, store: PhotoStore, make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    registry.publish(made)
    before = list(store.list())
    registry.publish(made)
    assert list(store.list()) == before


def test_the_same_weights_under_another_calibration_are_another_model(
    registry: Registry, make_artefact: MakeArtefact
) -> None:
    first, second = (registry.publish(make_artefact(temperature=t)) for t in (1.0, 2.0))
    assert first.card_sha256 != second.card_sha256
    assert len(list(registry.entries())) == 2


def test_half_a_publication_is_not_seen(registry: Registry, store: PhotoStore, make_artefact: MakeArtefact) -> None:
    store.write(f"small/{'a' * 64}/{WEIGHTS_FILE}", make_artefact().weights_path.read_bytes())
    assert list(registry.entries()) == []


def test_a_model_is_found_by_name_and_by_the_start_of_its_hash(registry: Registry, make_artefact: MakeArtefact) -> None:
    one = registry.publish(make_artefact("one"))
    two, other_two = (registry.publish(make_artefact("two", temperature=t)) for t in (1.0, 2.0))
    assert registry.find("one") == registry.find(one.reference) == one
    assert registry.find(f"two@{two.card_sha256}") == registry.find(two.card_sha256[:8]) == two
    with pytest.raises(ModelUnusable, match=f"two fits several models.*{other_two.reference}"):
        registry.find("two")
    with pytest.raises(ModelUnusable, match=f"three is not in the registry.*{one.reference}"):
        registry.find("three")


@pytest.mark.parametrize("file", [CARD_FILE, WEIGHTS_FILE])
def test_what_changed_after_publication_is_found(
    registry: Registry, store: PhotoStore, make_artefact: MakeArtefact, file: str
) -> None:
    entry = registry.publish(make_artefact())
    data = store.read(entry.folder + file, max_bytes=10**6).data
    store.write(entry.folder + file, data.replace(b"dense", b"dance").replace(b"small", b"tiny"))
    with pytest.raises(ModelUnusable, match="changed"):
        registry.verify(registry.find("small"))


def test_promotions_are_history(registry: Registry, make_artefact: MakeArtefact) -> None:
    assert registry.promoted() is None
    one, two = (registry.publish(make_artefact(name)) for name in ("one", "two"))
    promote(registry, "one")
    promote(registry, "two", who="bob", reason="finds scratches", now=NOW + timedelta(days=1))
    assert registry.promoted() == two
    history = registry.history()
    assert [(p.action, p.card_sha256, p.who, p.forced) for p in history] == [
        ("promote", one.card_sha256, "ada", False),
        ("promote", two.card_sha256, "bob", False),
    ]
    with pytest.raises(PromotionRefused, match="promoted model already"):
        promote(registry, "two")


@pytest.mark.parametrize(
    ("candidate", "complaint"),
    [
        (recalls(test=0.95, returns=0.89), r"recall on returns is 0\.890, not 0\.900"),
        (recalls(test=0.95), "its recall on returns is unknown"),
        ({}, "its recall on test is unknown; its recall on returns is unknown"),
    ],
)
def test_a_model_that_finds_less_is_refused_unless_forced_with_a_reason(
    registry: Registry, make_artefact: MakeArtefact, candidate: dict[str, MetricSet], complaint: str
) -> None:
    registry.publish(make_artefact("current", metrics=recalls(test=0.9, returns=0.9)))
    registry.publish(make_artefact("candidate", metrics=candidate))
    promote(registry, "current")
    with pytest.raises(PromotionRefused, match=complaint):
        promote(registry, "candidate")
    with pytest.raises(PromotionRefused, match="needs a reason"):
        promote(registry, "candidate", force=True, reason=" ")
    assert len(registry.history()) == 1
    promote(registry, "candidate", force=True, reason="the other one crashes")
    assert registry.history()[-1].forced
    assert registry.history()[-1].reason == "the other one crashes"


def test_equal_recall_is_enough_and_not_recorded_as_forced(registry: Registry, make_artefact: MakeArtefact) -> None:
    registry.publish(make_artefact("current", metrics=recalls(test=0.9)))
    registry.publish(make_artefact("candidate", metrics=recalls(test=0.9, new=0.1)))
    promote(registry, "current")
    assert not promote(registry, "candidate", force=True).forced


def test_a_broken_model_is_not_promoted(registry: Registry, store: PhotoStore, make_artefact: MakeArtefact) -> None:
    entry = registry.publish(make_artefact())
    store.write(entry.folder + WEIGHTS_FILE, b"short")
    with pytest.raises(ModelUnusable, match="does not match its card"):
        promote(registry, "small", force=True)
    assert registry.promoted() is None


def test_rolling_back_goes_back_step_by_step(registry: Registry, make_artefact: MakeArtefact) -> None:
    entries = [registry.publish(make_artefact(name)) for name in ("one", "two", "three")]
    for name in ("one", "two", "three"):
        promote(registry, name)
    for expected in (entries[1], entries[0]):
        done = registry.rollback(who="ada", reason="false alarms", now=NOW)
        assert (done.action, done.reason) == ("rollback", "false alarms")
        assert registry.promoted() == expected
    with pytest.raises(PromotionRefused, match="no earlier model"):
        registry.rollback(who="ada", reason="", now=NOW)
    assert len(registry.history()) == 5
    promote(registry, "three")
    registry.rollback(who="ada", reason="", now=NOW)
    assert registry.promoted() == entries[0]


def test_fetched_models_are_verified_and_kept(
    registry: Registry, store: PhotoStore, make_artefact: MakeArtefact, tmp_path: Path
) -> None:
    entry = registry.publish(make_artefact())
    fetched = registry.fetch(entry, tmp_path / "cache")
    assert fetched.card == entry.card
    store.write(entry.folder + WEIGHTS_FILE, b"gone bad")
    assert registry.fetch(entry, tmp_path / "cache") == fetched  # from the cache
    fetched.weights_path.write_bytes(b"cut short")
    with pytest.raises(ModelUnusable, match="does not match its card"):
        registry.fetch(entry, tmp_path / "cache")
    assert not fetched.folder.exists()
    assert list(fetched.folder.parent.iterdir()) == []


def test_a_cached_copy_that_was_damaged_is_fetched_again(
    registry: Registry, make_artefact: MakeArtefact, tmp_path: Path
) -> None:
    entry = registry.publish(make_artefact())
    fetched = registry.fetch(entry, tmp_path / "cache")
    fetched.weights_path.write_bytes(b"cut short")
    assert registry.fetch(entry, tmp_path / "cache") == fetched


def test_a_model_is_opened_by_its_folder_or_by_its_registry(make_artefact: MakeArtefact, tmp_path: Path) -> None:
    made = make_artefact()
    assert open_model(str(made.folder), S3Options(), tmp_path) == made
    place = tmp_path / "registry"
    place.mkdir()
    registry = open_registry(str(place))
    entry = registry.publish(made)
    with pytest.raises(ModelUnusable, match=r"card\.json is missing"):
        open_model(str(place), S3Options(), tmp_path)
    promote(registry, "small")
    assert open_model(str(place), S3Options(), tmp_path) == Artefact(place / entry.folder, made.card)


def test_a_history_that_cannot_be_read_is_named(registry: Registry, store: PhotoStore) -> None:
    store.write(HISTORY_KEY, b"{}}")
    with pytest.raises(ModelUnusable, match=r"promoted\.json is not readable"):
        registry.promoted()


def test_of_two_promotions_at_the_same_moment_one_is_refused(
    registry: Registry, store: PhotoStore, make_artefact: MakeArtefact
) -> None:
    for name in ("first", "second", "third"):
        registry.publish(make_artefact(name))
    promote(registry, "first")

    class Overtaken(Registry):
        """Between its decision and its writing, somebody else promotes."""

        def verify(self, entry: Entry) -> None:
            promote(registry, "third")

    with pytest.raises(PromotionRefused, match="another model was promoted at the same moment"):
        promote(Overtaken(store), "second")
    assert [promotion.name for promotion in registry.history()] == ["first", "third"]
    promote(registry, "second")
    assert [promotion.name for promotion in registry.history()] == ["first", "third", "second"]


def test_a_promotion_whose_history_was_not_written_any_more_counts(
    registry: Registry, store: PhotoStore, make_artefact: MakeArtefact
) -> None:
    """A crash between the two writes, or an older history written over a newer one."""
    for name in ("first", "second"):
        registry.publish(make_artefact(name))
    promote(registry, "first")
    older = store.read(HISTORY_KEY, max_bytes=10**6).data
    promote(registry, "second")
    store.write(HISTORY_KEY, older)
    promoted = registry.promoted()
    assert promoted is not None
    assert promoted.card.name == "second"
    registry.rollback(who="ada", reason="worse", now=NOW)
    assert [promotion.name for promotion in registry.history()] == ["first", "second", "first"]


def quantised(artefact: Artefact, graph: bytes = b"graph") -> Artefact:
    """The artefact with three files beside it that belong together."""
    (artefact.folder / GRAPH_FILE).write_bytes(graph)
    (artefact.folder / CONSTANTS_FILE).write_bytes(b"constants")
    card = QuantisedCard(
        created_at=NOW,
        weights_sha256=artefact.card.weights_sha256,
        graph_sha256=file_sha256(artefact.folder / GRAPH_FILE),
        constants_sha256=file_sha256(artefact.folder / CONSTANTS_FILE),
        views=1,
        made_by="tests",
    )
    (artefact.folder / QUANTISED_CARD_FILE).write_text(card.model_dump_json())
    return artefact


def test_the_int8_graph_goes_with_its_model(
    registry: Registry, make_artefact: MakeArtefact, tmp_path_factory: pytest.TempPathFactory
) -> None:
    entry = registry.publish(quantised(make_artefact()))
    fetched = registry.fetch(entry, tmp_path_factory.mktemp("cache"))
    assert verified_graph(fetched) == (b"graph", b"constants")


def test_an_int8_graph_may_come_later(
    registry: Registry, make_artefact: MakeArtefact, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, cache = make_artefact(), tmp_path_factory.mktemp("cache")
    fetched = registry.fetch(registry.publish(made), cache)
    with pytest.raises(ModelUnusable, match="holds no int8 graph"):
        verified_graph(fetched)
    entry = registry.publish(quantised(made))
    assert verified_graph(registry.fetch(entry, cache)) == (b"graph", b"constants")


def test_a_changed_int8_graph_is_not_published(
    registry: Registry, store: PhotoStore, make_artefact: MakeArtefact
) -> None:
    made = quantised(make_artefact())
    (made.folder / GRAPH_FILE).write_bytes(b"other")
    with pytest.raises(ModelUnusable, match=r"int8.xml does not match int8.json"):
        registry.publish(made)
    assert not [stored for stored in store.list() if "int8" in stored.key]
