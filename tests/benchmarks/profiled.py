"""Where the whole job's time goes: CPU by process, and what its Python threads do, by py-spy.

py-spy sees threads that Python knows. TensorFlow computes on threads of its own, of which only the CPU time of the
worker's process tells.
"""

from collections import Counter

from core.settings import SHIPPED_MODEL
from tests.benchmarks.environment import VENV, bench_python
from tests.benchmarks.measured import BUILD, Measured, Table
from tests.benchmarks.photographs import photo_sets
from tests.benchmarks.whole_run import PROFILER, Variant, scan

_RATE = 50  # samples a second
# A thread whose innermost frame is one of these waits: for a lock, a queue, a socket, another process or TensorFlow.
WAITING = (
    "Condition.wait",
    "_worker (concurrent/futures/thread.py",
    "_epoll.poll",
    "ProcessPhotoLoader.load",
    "_receive (core/photos/sandbox/child.py",
    "SocketBuffer._read_from_socket",
    "quick_execute (tensorflow",
)
# The first whose words stand in one of a stack's frames says where its time went; the more telling come first.
WHERE = {
    "starting: imports": ("<frozen importlib",),
    "loading the model": ("load_engine", "open_artefact"),
    "heat maps, pooling, calibration": ("core/model/heatmap", "core/model/pooling", "core/model/vehicle"),
    "handing batches to the network": ("core/model/forward", "core/model/engine"),
    "decoding and views": ("decode (core/photos", "make_views"),
    "quality and perceptual hash": ("core/photos/quality", "core/photos/phash"),
    "photos to and from the decoders": ("core/photos/sandbox/process", "core/photos/sandbox/child"),
    "reading and hashing files": ("core/storage/",),
    "SQL": ("sqlalchemy", "db/transactions", "db/queries"),
    "Celery and the broker": ("celery", "kombu", "redis"),
}


def measure(small: bool) -> Measured:
    """Seconds of each part over a scan of 300 photos with the shipped model."""
    bench_python("py-spy")
    stacks = BUILD / "profile.txt"
    spy = [str(VENV / "bin" / "py-spy"), "record", "--subprocesses", "--rate", str(_RATE), "--format", "raw"]
    run = scan(photo_sets(4 if small else 30), SHIPPED_MODEL, Variant(), [*spy, "--output", str(stacks), "--"])
    found = sums(stacks.read_text(encoding="utf-8"))
    total, cpu = found.total(), sum(run.cpu.values()) - run.cpu[PROFILER]
    return Measured(
        tables=[
            Table(
                ["process", "CPU seconds", "share"],
                [[name, used, f"{100 * used / cpu:.1f} %"] for name, used in run.cpu.items() if name != PROFILER],
            ),
            Table(
                ["what Python threads do that do not wait", "seconds", "share"],
                [[name, count / _RATE, f"{100 * count / total:.0f} %"] for name, count in found.most_common()],
            ),
        ],
        notes=[
            f"{run.photos} photos in {run.seconds:.0f} s. TensorFlow computes on threads of its own, which py-spy does "
            "not see: nearly all of the worker's CPU time that the second table does not tell of is the network's."
        ],
    )


def sums(raw: str) -> Counter[str]:
    """Samples by part of py-spy's raw output, `frame;frame;... count` a line, without threads that wait."""
    found: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if any(word in stack.rpartition(";")[2] for word in WAITING):
            continue
        part = next((name for name, words in WHERE.items() if any(word in stack for word in words)), "other")
        found[part] += int(count)
    return found
