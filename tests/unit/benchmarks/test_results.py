"""Benchmarks' results: merged, rendered, and told from timestamps."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.measured import Measured, Spread, Table, ratio, spread
from tests.benchmarks.memory import EVERY_S, ProcessWatch
from tests.benchmarks.parts import PARTS
from tests.benchmarks.results import as_json, as_markdown, fill, merge, read
from tests.benchmarks.whole_run import second_half_rate


def test_the_second_half_is_judged_alone() -> None:
    slow_start = [10.0] * 10 + [30.0] * 10 + [31.0] * 10 + [32.0] * 10
    assert second_half_rate(slow_start) == 10.0
    assert second_half_rate(slow_start[::-1]) == 10.0


def test_a_rate_needs_two_moments() -> None:
    with pytest.raises(ValueError, match="too few"):
        second_half_rate([1.0, 2.0, 2.0, 2.0])


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == Spread(2.0, 1.0, 3.0, 3)


def test_the_highest_memory_of_each_quarter() -> None:
    watch = ProcessWatch(0)
    watch.samples = [(float(second), 100.0 + second) for second in range(10)] + [(1.5, 500.0), (50.0, 900.0)]
    assert watch.quarters([0.0, 2.0, 4.0, 6.0, 8.0]) == [500.0, 104.0, 106.0, 108.0]


def test_what_a_process_used_is_known_after_its_end() -> None:
    with subprocess.Popen([sys.executable, "-c", "sum(range(3 * 10**7)); input()"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with ProcessWatch(process.pid) as watch:
            while not watch.cpu_seconds({"it": "range"})["it"]:
                time.sleep(0.1)
            process.stdin.write(b"\n")
            process.stdin.close()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            time.sleep(2 * EVERY_S)  # it is looked at again, a zombie now
        assert watch.cpu_seconds({"it": "range"})["it"] > 0


def test_parts_of_different_runs_stand_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    for part, value in (("decode", 3.0), ("engine", 1.0), ("decode", 2.0)):
        measured = Measured(ratios={f"{part}_ratio": spread([value])})
        merge(part, as_json(part, measured, small=False, seconds=1), file)
    found = read(file)
    assert found["ratios"] == {"decode_ratio": 2.0, "engine_ratio": 1.0}
    assert {"at", "revision", "machine", "command"} <= set(found["parts"]["engine"])


def test_a_small_run_counts_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    for value, small in ((9.0, True), (2.0, False), (8.0, True)):
        measured = Measured(ratios={"decode_ratio": spread([value])})
        merge("decode", as_json("decode", measured, small=small, seconds=1), file)
        assert read(file)["ratios"] == ({} if value == 9.0 else {"decode_ratio": 2.0})


def test_a_part_is_written_into_its_place_and_nowhere_else() -> None:
    table = Table(["what", "ms"], [["a", 1234], ["b", spread([1.0, 2.0, 3.0])], ["c", None]])
    entry = as_json("decode", Measured(tables=[table]), small=True, seconds=1)
    place = "<!-- bench: {} -->\n{}\n<!-- end of bench -->\n"
    document = "x\n" + place.format("decode", "old") + "y\n" + place.format("engine", "kept")
    filled = fill(document, {"parts": {"decode": entry}})
    assert "old" not in filled
    assert "kept" in filled
    assert "| a | 1,234 |" in filled
    assert "| b | 2.00 (1.00 to 3.00) |" in filled
    assert "| c | – |" in filled
    assert "small run" in as_markdown(entry)
    assert fill(filled, {"parts": {"decode": entry}}) == filled


def test_every_place_of_the_document_has_its_part() -> None:
    document = (Path(__file__).parents[3] / "docs" / "performance.md").read_text()
    assert set(re.findall(r"<!-- bench: (\S+) -->", document)) <= set(PARTS)


def test_every_part_names_a_function_that_is_there() -> None:
    for part in PARTS.values():
        module, _, name = part.function.partition(":")
        source = Path(__file__).parents[3].joinpath(*module.split(".")).with_suffix(".py").read_text()
        assert f"def {name}(small: bool)" in source, part.function


def test_a_process_is_told_by_its_command_line() -> None:
    with ProcessWatch(os.getpid()) as watch:
        sum(range(10**6))
    used = watch.cpu_seconds({"tests": "python", "nobody": "no such word"})
    assert used["tests"] > 0
    assert used["nobody"] == 0
