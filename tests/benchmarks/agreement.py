"""How far the engines' answers lie apart on real photos, and what each is worth: the shared data's test split."""

from typing import Any

from tests.benchmarks.calibration_views import MANIFEST
from tests.benchmarks.environment import found_by
from tests.benchmarks.measured import Measured, Table

MEASURES = ("accuracy", "auroc", "loss", "expected_calibration_error")
REFERENCE = "float32, in batches"
_APART = ("mean", "95 %", "largest", "other side of 0.5", "other zone of the policy")


def measure(small: bool) -> Measured:
    """Differences of probabilities from float32's, flipped decisions, and the measures of each engine, by source."""
    if not MANIFEST.exists():
        raise SystemExit(
            f"{MANIFEST} is not there: this part needs labelled photos; name their folder in WALKAROUND_DATA"
        )
    return as_measured(found_by("agreement_runs", small=small))


def as_measured(found: dict[str, Any]) -> Measured:
    """Tables of what the process in the bench venv wrote."""
    engines: dict[str, Any] = found["engines"]
    differences = [_difference(name, engine) for name, engine in engines.items() if name != REFERENCE]
    whole = [
        [name, *(f"{engine['overall'][key]['value']:.4f}" for key in MEASURES if key in engine["overall"])]
        for name, engine in engines.items()
    ]
    sources = engines[REFERENCE]["by_source"]
    worth = [
        [source, sources[source]["photos"], *(_accuracy(engine["by_source"][source]) for engine in engines.values())]
        for source in sources
    ]
    return Measured(
        tables=[
            Table(
                ["probability of a photo, beside float32 in batches", *_APART],
                differences,
                title=f"{found['photos']} photos of the test split",
            ),
            Table(
                ["probability of a photo in float32", *_APART],
                [
                    _difference("scored by itself, beside in batches", found["one by one"]),
                    _difference(
                        "enlarged to 12 megapixels and decoded as we do, beside decoded fully and resized antialiased",
                        found["decoding"],
                    ),
                ],
                title=f"{found['some']} of them",
            ),
            Table(["engine", *(name.replace("_", " ") for name in MEASURES)], whole, title="What each is worth there"),
            Table(["accuracy by source", "photos", *engines], worth),
        ],
        notes=[
            "Zones of the policy are damaged, undecided and clear: at or above the threshold of damage, below that of "
            "clear photos, and between. Temperature, pooling and thresholds are float32's for every engine."
        ],
        figures=found,
    )


def _difference(name: str, found: dict[str, Any]) -> list[object]:
    return [name, *(f"{found[key]:.2g}" for key in ("mean", "p95", "largest")), found["flips"], found["verdict_zone"]]


def _accuracy(found: dict[str, Any]) -> str:
    return f"{found['measures']['accuracy']['value']:.4f}" if "accuracy" in found["measures"] else "–"
