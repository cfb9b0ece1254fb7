"""Listing and reconciling a bucket of a million objects: `python -m tests.benchmarks.scan_at_size --objects N`.

The bucket is a server of our own that answers ListObjectsV2 as S3 does (listing_server.py), read through boto3;
PostgreSQL and the broker (Valkey) are real. Each step runs in a process of its own: the bare listing by plain boto3 and
by our store; the first scan, which writes down every set, opens its work and publishes it; the second, which finds
nothing to do. All but the first scan in turn, twice; the ratios are of CPU time, which a busy machine disturbs least.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from core.domain import ModelIdentity, ModelState
from core.policy import Policy
from core.settings import load_settings
from db import transactions
from db.session import make_engine, make_sessions, upgrade
from tests.benchmarks.listing_server import PHOTOS
from tests.benchmarks.measured import BUILD, Measured, Table, ratio, spread
from tests.databases import running_postgresql
from tests.integration.deployment import Deployment, deployment, s3_settings
from tests.servers import S3Server
from workers import pipeline
from workers.app import make_app, resources

ROUNDS = 2  # each three minutes at a million
STEPS = ("plain listing", "listing", "scan")
RESULT = BUILD / "scan_at_size.json"
_OPTIONS = (
    "-h '' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=256MB -c max_wal_size=4GB"
)

Step = dict[str, float]


def main() -> None:
    """Measure and say what came out."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--objects", type=int, default=1_000_000)
    arguments.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    wanted = arguments.parse_args()
    if wanted.step:
        sys.stdout.write(json.dumps(_step(wanted.step)) + "\n")
        return
    found = scan_and_listing(wanted.objects)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text())


def measure(small: bool) -> Measured:
    """See `tests.benchmarks`."""
    return scan_and_listing(10_000 if small else 1_000_000)


def scan_and_listing(objects: int) -> Measured:
    """Wall-clock and CPU seconds, and peak memory, of the listings, a first and a second scan of so many objects."""
    with tempfile.TemporaryDirectory() as folder, running_postgresql(_OPTIONS) as postgresql, bucket(objects) as server:
        postgresql.run("CREATE DATABASE bench")
        url = postgresql.url("bench")
        _prepare(url)
        with deployment(Path(folder), url, **s3_settings(server, "bench")) as system:
            taken: dict[str, list[Step]] = {"first scan": [_run(system, "scan")]}
            for _ in range(ROUNDS):
                for step in STEPS:
                    taken.setdefault(step, []).append(_run(system, step))
    _check(objects, taken)
    return _measured(objects, taken)


def _run(system: Deployment, step: str) -> Step:
    command = [sys.executable, "-m", "tests.benchmarks.scan_at_size", "--step", step]
    done = subprocess.run(command, env=system.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the {step} failed:\n{done.stderr}")
    found: Step = json.loads(done.stdout.splitlines()[-1])
    return found


def _check(objects: int, taken: dict[str, list[Step]]) -> None:
    """A fast scan that did not do its work is worth nothing."""
    for name, steps in taken.items():
        repaired = objects // PHOTOS if name == "first scan" else 0
        if any((step["objects"], step["repaired"]) != (objects, repaired) for step in steps):
            raise RuntimeError(f"the {name} did not do its work: {steps}")


@contextmanager
def bucket(objects: int) -> Iterator[S3Server]:
    """The listing server, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.listing_server", "--objects", str(objects)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield S3Server(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait()


def _prepare(url: str) -> None:
    """The tables, and an active model: without one a scan would open no work."""
    engine = make_engine(url)
    upgrade(engine)
    identity = ModelIdentity("bench", "a" * 64, "b" * 64)
    policy = Policy(damaged_at=0.8, clear_below=0.5)
    transactions.register_model(make_sessions(engine), identity, policy, ModelState.ACTIVE)
    engine.dispose()


def _step(step: str) -> Step:
    """One step in this process, and what it took."""
    context = resources(make_app(load_settings())).context
    started, cpu = time.perf_counter(), time.process_time()
    repaired = 0
    if step == "plain listing":
        client = S3Server(str(context.settings.s3_endpoint_url)).s3()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="bench", Prefix=context.layout.root)
        objects = sum(1 for page in pages for _ in page["Contents"])
    elif step == "listing":
        objects = sum(1 for _ in context.store.list(context.layout.root))
    else:
        scanned = pipeline.scan(context)
        objects, repaired = scanned.objects, scanned.repaired
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "objects": objects,
        "repaired": repaired,
    }


def _measured(objects: int, taken: dict[str, list[Step]]) -> Measured:
    names = {
        "plain listing": "the bare listing by plain boto3",
        "listing": "the bare listing by our store",
        "first scan": "the first scan: every set written down, its work opened and published",
        "scan": "a second scan: nothing to do",
    }
    rows = []
    for step, name in names.items():
        figures = [spread([each[figure] for each in taken[step]]) for figure in ("seconds", "cpu_seconds", "peak_mb")]
        rows.append((name, *figures))
    second, listing, plain = (
        [each["cpu_seconds"] for each in taken[step]] for step in ("scan", "listing", "plain listing")
    )
    peak = max(each["peak_mb"] for steps in taken.values() for each in steps)
    return Measured(
        ratios={"second_scan_vs_plain_listing": ratio(plain, second), "second_scan_vs_listing": ratio(listing, second)},
        tables=[
            Table(
                ("", "seconds", "CPU seconds of the process", "peak memory, MB"),
                rows,
                f"{objects:,} objects in {objects // PHOTOS:,} sets of {PHOTOS}",
            )
        ],
        notes=[
            "The bucket is a listing server of our own, on this machine, read through boto3; PostgreSQL and Valkey are "
            f"real, on the same cores. The most memory that any of these processes took: {peak:.0f} MB."
        ],
        figures={"objects": objects, "taken": taken},
    )


if __name__ == "__main__":
    main()
