"""Photos out of a bucket: our store in the worker's own threads, beside plain boto3, from the S3 server of the tests.

moto is Python, in a process of its own on the same cores, and limits the rates: what counts is what the client makes
of it and what CPU it takes. No network lies between; on a real one threads also wait side by side.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from core.domain import PhotoStore
from core.settings import load_settings
from core.storage.address import open_store
from tests.benchmarks.measured import Measured, Spread, Table, ratio, seconds, spread
from tests.servers import S3Server, running_s3
from workers.bootstrap import make_fetchers

BUCKET = "returns"
OBJECT_BYTES = 3_000_000  # a photo of 12 megapixels
PLAIN = "plain boto3, one after another"
THREADS = "plain boto3, in the same threads"
OURS = "ours, in the worker's threads, hashed while read"


@dataclass(frozen=True, slots=True)
class Run:
    """All objects fetched once: wall clock, and CPU of this process."""

    seconds: float
    cpu_seconds: float


def measure(small: bool) -> Measured:
    """See `tests.benchmarks`."""
    objects, rounds = (12, 2) if small else (100, 7)
    settings = load_settings()
    found: dict[str, list[Run]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_s3(Path(folder)) as server,
        make_fetchers(settings) as threads,
    ):
        store = open_store(f"s3://{BUCKET}", server.options)
        keys = _upload(server, store, objects)
        ways = _ways(server, store, keys, threads)
        before = _memory_mb("VmHWM")
        for number in range(rounds + 1):
            for name, fetch in ways.items():
                run = _run(fetch)
                if number:  # the first opens connections
                    found.setdefault(name, []).append(run)
        grown = _memory_mb("VmHWM") - before
    note = (
        f"{objects} objects in a run, {rounds} runs of each in turn; the server is moto, on the same cores. The "
        f"threads are the worker's own by default, two for each of {settings.concurrency} sets in flight: so many "
        f"photos are in memory at most; all runs together raised the process's highest by {grown:.0f} MB. The sha256 "
        f"of an object is {_hash_ms(rounds)} ms of ours."
    )
    return _measured(found, objects, note)


def _upload(server: S3Server, store: PhotoStore, objects: int) -> list[str]:
    server.s3().create_bucket(Bucket=BUCKET)
    keys = [f"{number:04}.jpg" for number in range(objects)]
    for key in keys:
        store.write(key, os.urandom(OBJECT_BYTES))
    return keys


def _ways(server: S3Server, store: PhotoStore, keys: list[str], threads: Executor) -> dict[str, Callable[[], int]]:
    """What each does to fetch all the objects; the bytes it got."""
    client = server.s3()

    def plain(key: str) -> int:
        return len(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def ours(key: str) -> int:
        return len(store.read(key, max_bytes=OBJECT_BYTES).data)

    return {
        PLAIN: lambda: sum(map(plain, keys)),
        THREADS: lambda: sum(threads.map(plain, keys)),
        OURS: lambda: sum(threads.map(ours, keys)),
    }


def _run(fetch: Callable[[], int]) -> Run:
    cpu = time.process_time()
    taken = seconds(fetch)
    return Run(taken, time.process_time() - cpu)


def _memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def _hash_ms(rounds: int) -> Spread:
    """CPU of the sha256 of one object that lies in memory."""
    data, taken = os.urandom(OBJECT_BYTES), []
    for _ in range(rounds):
        started = time.process_time()
        hashlib.sha256(data)
        taken.append(1000 * (time.process_time() - started))
    return spread(taken)


def _measured(found: dict[str, list[Run]], objects: int, note: str) -> Measured:
    times = {name: [run.seconds for run in runs] for name, runs in found.items()}
    rows = [
        (
            name,
            spread([objects * OBJECT_BYTES / 1e6 / run.seconds for run in runs]),
            spread([objects / run.seconds for run in runs]),
            spread([1000 * run.cpu_seconds / objects for run in runs]),
        )
        for name, runs in found.items()
    ]
    columns = ("3 MB objects", "MB/s", "objects/s", "CPU of an object in the client, ms")
    return Measured(
        ratios={
            "storage_vs_boto3": ratio(times[PLAIN], times[OURS]),
            "storage_vs_boto3_threads": ratio(times[THREADS], times[OURS]),
        },
        tables=[Table(columns, rows)],
        notes=[note],
    )
