"""Where the whole job's time goes: py-spy watches the Python threads of all its processes, a table sums them up.

py-spy sees threads that Python knows. TensorFlow computes on threads of its own beside the one that called it, so the
model's share is of one thread's time, not of all cores'.
"""

from collections import Counter

from core.settings import SHIPPED_MODEL
from tests.benchmarks.environment import VENV, bench_python
from tests.benchmarks.measured import BUILD, Measured, Table
from tests.benchmarks.photographs import photo_sets
from tests.benchmarks.pipeline import scan

_RATE = 50  # samples a second
# The first whose words stand in one of a stack's frames says where its time went; the more telling come first.
WHERE = {
    "starting: imports": ("importlib", "_bootstrap"),
    "loading the model": ("load_engine", "open_artefact"),
    "heat maps, pooling, calibration": ("core/model/heatmap", "core/model/pooling", "core/model/vehicle"),
    "the network": ("core/model/forward", "core/model/engine"),
    "decoding and views": ("decode (core/photos", "make_views"),
    "quality and perceptual hash": ("core/photos/quality", "core/photos/likeness"),
    "photos to and from the decoders": ("core/photos/decode_process", "core/photos/decode_child"),
    "reading and hashing files": ("core/photos/store",),
    "SQL": ("sqlalchemy", "db/repositories", "db/reports"),
    "Celery and the broker": ("celery", "kombu", "redis"),
}


def measure(small: bool) -> Measured:
    """Seconds of each part over a scan of 300 photos with the shipped model."""
    bench_python("py-spy")
    stacks = BUILD / "profile.txt"
    spy = [str(VENV / "bin" / "py-spy"), "record", "--subprocesses", "--rate", str(_RATE), "--format", "raw"]
    run = scan(photo_sets(4 if small else 30), SHIPPED_MODEL, "float32", [*spy, "--output", str(stacks), "--"])
    found = sums(stacks.read_text(encoding="utf-8"))
    total = found.total()
    rows = [[name, count / _RATE, f"{100 * count / total:.0f} %"] for name, count in found.most_common()]
    return Measured(
        tables=[Table(["where", "seconds of Python threads that were busy", "share"], rows)],
        notes=[
            f"{run.photos} photos in {run.seconds:.0f} s. TensorFlow's own threads are not seen: the network's share "
            f"is of the thread that waits for them."
        ],
    )


def sums(raw: str, where: dict[str, tuple[str, ...]] = WHERE) -> Counter[str]:
    """Samples by part of py-spy's raw output: `frame;frame;... count` a line."""
    found: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        part = next((name for name, words in where.items() if any(word in stack for word in words)), "other")
        found[part] += int(count)
    return found
