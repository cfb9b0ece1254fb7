"""Of promotions at the same moment one is recorded, and none that was recorded is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from core.errors import ModelUnusable, PromotionRefused
from core.model.promotions import HISTORY_KEY, Promotion, add_promotion, read_promotions
from core.testing.memory_store import MemoryPhotoStore

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def promotion(name: str) -> Promotion:
    return Promotion(action="promote", name=name, card_sha256="0" * 64, at=NOW, who="ada", reason="better")


def names(store: MemoryPhotoStore) -> list[str]:
    return [promotion.name for promotion in read_promotions(store)]


def test_of_many_at_once_one_is_recorded() -> None:
    store = MemoryPhotoStore()
    add_promotion(store, (), promotion("first"))
    seen = read_promotions(store)

    def add(name: str) -> bool:
        try:
            add_promotion(store, seen, promotion(name))
        except PromotionRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(add, "abcdefgh"))
    assert sum(added) == 1
    assert names(store) == ["first", "abcdefgh"[added.index(True)]]


def test_a_promotion_counts_though_the_history_was_not_written_after_it() -> None:
    """A crash between the two writes, or an older history written over a newer one."""
    store = MemoryPhotoStore()
    add_promotion(store, (), promotion("first"))
    older = store.read(HISTORY_KEY, max_bytes=10**6).data
    add_promotion(store, read_promotions(store), promotion("second"))
    store.write(HISTORY_KEY, older)
    assert names(store) == ["first", "second"]
    add_promotion(store, read_promotions(store), promotion("third"))
    assert names(store) == ["first", "second", "third"]


def test_a_history_of_before_goes_on() -> None:
    """Registries that were written before promotions had objects of their own."""
    store = MemoryPhotoStore()
    add_promotion(store, (), promotion("first"))
    store.remove("promotions/000001.json")
    add_promotion(store, read_promotions(store), promotion("second"))
    assert names(store) == ["first", "second"]


@pytest.mark.parametrize("key", [HISTORY_KEY, "promotions/000001.json"])
def test_a_history_that_cannot_be_read_is_named(key: str) -> None:
    store = MemoryPhotoStore()
    store.write(key, b"{}}")
    with pytest.raises(ModelUnusable, match=rf"{key} is not readable; restore it from a backup"):
        read_promotions(store)
