"""The simulation behind docs/scaling.md: its queue against what can be worked out by hand, and its page."""

import re
from pathlib import Path

import numpy as np
import pytest

from studies.scaling.costs import figures, values
from studies.scaling.fleet import asked, largest, nodes
from studies.scaling.queueing import DAY, arrivals, least_nodes, percentiles, rate_by_second, waits
from studies.scaling.tables import insert

ROOT = Path(__file__).parents[3]
NOWHERE = Path("there/is/no/bench.json")


def test_returns_wait_for_the_node_that_is_free_first() -> None:
    arrived = np.array([0.0, 1.0, 2.0, 20.0])

    assert waits(arrived, nodes=1, service_s=5.0).tolist() == [5.0, 9.0, 13.0, 5.0]
    assert waits(arrived, nodes=2, service_s=5.0).tolist() == [5.0, 5.0, 8.0, 5.0]


def test_an_even_stream_waits_as_queueing_theory_says() -> None:
    """M/D/1: the mean time in the queue is rho s / 2 (1 - rho)."""
    arrived = np.sort(np.random.default_rng(1).random(200_000)) * 200_000

    waited = waits(arrived, nodes=1, service_s=0.5).mean() - 0.5

    assert waited == pytest.approx(0.5 * 0.5 / (2 * 0.5), rel=0.05)


def test_arrivals_follow_the_daily_curve() -> None:
    assert rate_by_second().sum() == pytest.approx(1)
    by_hour, _ = np.histogram(arrivals(100_000), bins=24, range=(0, DAY))
    assert by_hour / 100_000 == pytest.approx(rate_by_second().reshape(24, 3600).sum(axis=1), abs=0.005)


def test_the_fewest_nodes_keep_the_target_and_one_less_does_not() -> None:
    count = least_nodes(50_000, service_s=10.0, within_s=60.0)

    assert percentiles(50_000, count, 10.0)[1] <= 60 < percentiles(50_000, count - 1, 10.0)[1]


def test_a_server_breaks_where_it_is_said_to() -> None:
    f = values(figures(NOWHERE, {}))
    for item in asked(f, 1.0, 0.0):
        if item.used:
            at = next(i for i in asked(f, largest(f, item.server), 0.0) if i.server == item.server)
            assert at.share == pytest.approx(1)


def test_what_is_given_replaces_what_is_stated() -> None:
    dear = values(figures(NOWHERE, {"gpu_node_price": "9.5"}))

    assert nodes(dear)[-1].price == 9.5
    with pytest.raises(SystemExit, match="name one of"):
        figures(NOWHERE, {"no_such_price": "1"})


def test_tables_take_their_places_and_none_is_left_out(tmp_path: Path) -> None:
    page = tmp_path / "scaling.md"
    page.write_text((ROOT / "docs" / "scaling.md").read_text(encoding="utf-8"), encoding="utf-8")
    places = re.findall("<!-- simulate: (.*?) -->", page.read_text(encoding="utf-8"))

    insert(page, {name: f"the table of {name}" for name in places})

    assert all(f"the table of {name}\n" in page.read_text(encoding="utf-8") for name in places)
    with pytest.raises(SystemExit, match="disagree"):
        insert(page, {})
