"""A card as a person reads it."""

from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

from cli.model.tables import card_table, metrics_table, training_table
from core.model.artefact import Artefact
from core.model.card import Measure, MetricSet, TrainingSource
from tests.unit.core.conftest import SIZE, make_artefact  # noqa: F401  a fixture

MakeArtefact = Callable[..., Artefact]


def shown(table: Table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(
    ("tiles", "flip", "words"),
    [
        (0, False, f"the whole photo, {SIZE} x {SIZE} pixels"),
        (2, True, f"the whole photo and 2 x 2 tiles, {SIZE} x {SIZE} pixels, also mirrored"),
    ],
)
def test_the_views_of_a_photo_are_named(
    make_artefact: MakeArtefact,  # noqa: F811
    tiles: int,
    flip: bool,
    words: str,
) -> None:
    text = shown(card_table(make_artefact(input={"size": SIZE, "tiles": tiles, "flip": flip}).card))
    assert words in text
    assert ("mirrored" in text) == flip


def test_a_sources_brackets_are_shown(make_artefact: MakeArtefact) -> None:  # noqa: F811
    source = TrainingSource(source="photos [web]", licence="[none]", photos=1200, damaged=600)
    text = shown(training_table(make_artefact(training=(source,)).card))
    for part in ("photos [web]", "[none]", "1,200", "600"):
        assert part in text


def test_a_measure_that_one_split_lacks_leaves_a_dash(make_artefact: MakeArtefact) -> None:  # noqa: F811
    recall, auroc = Measure(value=0.9, low=0.8, high=0.95), Measure(value=0.7, low=0.6, high=0.8)
    metrics = {
        "val": MetricSet(photos=9, damaged=4, measures={"recall": recall, "auroc": auroc}),
        "test": MetricSet(photos=1500, damaged=700, measures={"recall": recall}),
    }
    lines = shown(metrics_table(make_artefact(metrics=metrics).card)).splitlines()
    val, test = (next(line for line in lines if f" {split} " in line) for split in ("val", "test"))
    assert "0.700 (0.600–0.800)" in val
    assert [cell.strip() for cell in test.split("│")[1:-1]] == ["test", "1,500", "0.900 (0.800–0.950)", "–"]
