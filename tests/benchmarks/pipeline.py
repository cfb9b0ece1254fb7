"""The whole job: `walkaround scan` from JPEG to verdict rows, beside a naive loop, Ray Data, and the machine's floor.

Every run is a process of its own, reads the same photos, looks at the same views and ends in rows of SQLite. Rates
over short runs lie (queues fill while a model loads), so each run is also judged by its second half alone.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.environment import bench_python
from tests.benchmarks.measured import ROOT, Measured, Table, spread
from tests.benchmarks.photographs import photo_sets
from tests.benchmarks.whole_run import Run, Variant, model_for, scan, second_half_rate

PHOTOS_EACH = 10
_SCANS = 3  # each between two runs of the naive loop and of the floor


def shipped(small: bool) -> Measured:
    """The shipped model, float32: what a user gets."""
    return _measure(Variant(), small)


def shipped_bfloat16(small: bool) -> Measured:
    """The shipped model, bfloat16."""
    return _measure(Variant(precision="bfloat16"), small)


def at_224(small: bool) -> Measured:
    """The whole photo at 224 pixels, float32."""
    return _measure(Variant(at_224=True), small)


def at_224_bfloat16(small: bool) -> Measured:
    """The whole photo at 224 pixels, bfloat16."""
    return _measure(Variant(at_224=True, precision="bfloat16"), small)


def shipped_int8(small: bool) -> Measured:
    """The shipped model in int8 on OpenVINO."""
    return _measure(Variant(precision="int8"), small)


def at_224_int8(small: bool) -> Measured:
    """The whole photo at 224 pixels, in int8 on OpenVINO."""
    return _measure(Variant(at_224=True, precision="int8"), small)


def memory(small: bool) -> Measured:
    """Resident memory over 2,000 photos: at 224 pixels, for that is quick."""
    variant = Variant(at_224=True)
    run = scan(photo_sets(4 if small else 200, PHOTOS_EACH), model_for(variant), variant)
    growth = run.memory[-1] / run.memory[1]
    return Measured(
        ratios={"memory_last_quarter_vs_second": spread([growth])},
        tables=[_memory_table(run)],
        notes=[f"{run.photos:,} photos. The first quarter holds the start; a ratio of 1 is flat."],
    )


def _measure(variant: Variant, small: bool) -> Measured:
    # At 448 pixels half as many photos take twice as long.
    sets, some = (4, 4) if small else (120, 40) if variant.at_224 else (60, 20)
    photos = photo_sets(sets, PHOTOS_EACH)
    paths = sorted(photos.rglob("*.jpg"))
    model = model_for(variant)
    ray = bench_python("ray[data]")
    naive: list[float] = []
    floors: list[dict[str, float]] = []

    def between() -> None:
        naive.append(_peer(variant, model, paths[:some], "naive")["rate"])
        floors.append(_peer(variant, model, paths[:some], "floor"))

    between()
    ours: list[Run] = []
    for _ in range(1 if small else _SCANS):
        ours.append(scan(photos, model, variant))
        between()
    theirs_with_ours = _ray(ray, variant, model, paths, "ours")
    # Ray as documented runs Keras whatever ours computes with: once is enough.
    once = variant.precision == "float32"
    theirs = _ray(ray, variant, model, paths if small else paths[: len(paths) // 2], "documented") if once else None
    return _measured(variant, naive, floors, ours, theirs, theirs_with_ours)


def _measured(
    variant: Variant,
    naive: Sequence[float],
    floors: Sequence[dict[str, float]],
    ours: Sequence[Run],
    theirs: Run | None,
    given: Run,
) -> Measured:
    floor = [found["rate"] for found in floors]
    rates, second_halves = [run.rate for run in ours], [run.second_half for run in ours]
    ratios = {
        "pipeline_vs_naive": spread(_by_neighbours(second_halves, naive)),
        **({"pipeline_vs_ray": spread([rate / theirs.second_half for rate in second_halves])} if theirs else {}),
        **({"pipeline_vs_ray_whole_run": spread([rate / theirs.rate for rate in rates])} if theirs else {}),
        "pipeline_vs_ray_with_ours": spread([rate / given.rate for rate in rates]),
        "pipeline_vs_floor": spread(_by_neighbours(second_halves, floor)),
    }
    rows: list[list[object]] = [
        [f"`walkaround scan`, {ours[0].photos:,} photos, {len(ours)} times", spread(rates), spread(second_halves)],
        ["naive loop, before and after each", None, spread(naive)],
        *([[f"Ray Data as documented, {theirs.photos:,} photos", theirs.rate, theirs.second_half]] if theirs else []),
        [f"Ray Data given our decode and engine, {given.photos:,} photos", given.rate, given.second_half],
        ["floor, before and after each: 1 / (decode + model)", None, spread(floor)],
    ]
    model_name = "a model at 224 pixels" if variant.at_224 else "the shipped model"
    decode, model = (1000 * statistics.median(found[name] for found in floors) for name in ("decode", "model"))
    last = ours[-1]
    growth = last.memory[-1] / last.memory[1] - 1
    return Measured(
        ratios={name + variant.suffix: found for name, found in ratios.items()},
        tables=[
            Table(["photos/s", "whole run with start-up", "second half"], rows, f"{model_name}, {variant.precision}"),
            _memory_table(last),
        ],
        notes=[
            f"The floor is of {decode:.1f} ms to decode (two threads on two photos at once, divided by two; views, "
            f"quality, perceptual hash) and {model:.1f} ms for the model (as many pixels a batch as 32 views of 224; "
            "all cores), taken between the runs. From the second quarter to the last, resident memory changed by "
            f"{100 * growth:+.0f} %. Ray's stages run far ahead of one another: its second half profits from what was "
            "decoded in the first, so that its whole run says more."
        ],
    )


def _by_neighbours(rates: Sequence[float], between: Sequence[float]) -> list[float]:
    """Each by what was measured just before and just after it, as evenly noisy as may be."""
    return [rate / beside for number, rate in enumerate(rates) for beside in between[number : number + 2]]


def _memory_table(run: Run) -> Table:
    return Table(
        ["resident MB, all processes", *(f"quarter {number}" for number in range(1, 5))],
        [["highest while the photos were done", *(round(value) for value in run.memory)]],
    )


def _peer(variant: Variant, model: Path, paths: Sequence[Path], name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.pipeline_peers", name, str(model)]
    return _answer([*command, variant.precision], paths)


def _ray(python: Path, variant: Variant, model: Path, paths: Sequence[Path], name: str) -> Run:
    command = [str(python), "-m", "tests.benchmarks.ray_pipeline", name, str(model)]
    start = time.perf_counter()
    times = _answer([*command, variant.precision], paths)["times"]
    return Run(len(times), time.perf_counter() - start, second_half_rate(times))


def _answer(command: Sequence[str], paths: Sequence[Path]) -> dict[str, Any]:
    """The last line that the command printed, as JSON; it gets the photos' paths on its standard input."""
    found = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
        input="\n".join(map(str, paths)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return answer
