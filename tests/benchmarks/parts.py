"""The registry: which parts `make bench` knows, and where each is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from tests.benchmarks.measured import Measured


@dataclass(frozen=True, slots=True)
class Part:
    """`function` as `module:name`; `quick` parts are those that `make bench` alone runs; `minutes` on two cores."""

    function: str
    about: str
    minutes: float
    quick: bool = False

    def measure(self, small: bool) -> Measured:
        """Import what is needed, and measure."""
        module, _, name = self.function.partition(":")
        return cast("Callable[[bool], Measured]", getattr(import_module(module), name))(small)


PARTS = {
    "decode": Part("tests.benchmarks.decoding:measure", "photos to pixels, beside Pillow and others", 2, quick=True),
    "engine-keras": Part("tests.benchmarks.plain_engine:measure", "the engine beside tf.function", 1, quick=True),
    "engine": Part("tests.benchmarks.engine:measure", "the engine beside its peers, by batch size, and int8", 6),
    "agreement": Part("tests.benchmarks.agreement:measure", "the engines' answers on real photos, one by another", 9),
    "exported-graph": Part("tests.benchmarks.exported_graph:measure", "starting from a graph exported before", 2),
    "gpu": Part("tests.benchmarks.gpu:measure", "a GPU by batch and precision, and how busy it is kept", 9),
    "start-up": Part("tests.benchmarks.start_up:measure", "to the first verdict, and commands without", 2, quick=True),
    "profile": Part("tests.benchmarks.profiled:measure", "where the whole job's time goes, by py-spy", 3),
    "memory": Part("tests.benchmarks.pipeline:memory", "resident memory over 2,000 photos", 5),
    "pipeline": Part("tests.benchmarks.pipeline:shipped", "the whole job, the shipped model, float32", 20),
    "pipeline-bfloat16": Part("tests.benchmarks.pipeline:shipped_bfloat16", "the same in bfloat16", 8),
    "pipeline-at-224": Part("tests.benchmarks.pipeline:at_224", "the same at 224 pixels, float32", 6),
    "pipeline-int8": Part("tests.benchmarks.pipeline:shipped_int8", "the same in int8 on OpenVINO", 8),
    "pipeline-at-224-int8": Part("tests.benchmarks.pipeline:at_224_int8", "and at 224 pixels", 5),
    "pipeline-at-224-bfloat16": Part("tests.benchmarks.pipeline:at_224_bfloat16", "and in bfloat16", 5),
    "scale_out": Part("tests.benchmarks.scale_out:measure", "one and two worker processes, and a return's costs", 10),
    "scan": Part("tests.benchmarks.scan_at_size:measure", "a million objects listed and reconciled", 10),
    "storage": Part("tests.benchmarks.storage:measure", "photos out of a bucket, beside plain boto3", 1),
    "overhead": Part("tests.benchmarks.overhead:measure", "queue, SQL and bookkeeping of a photo", 4),
    "fairness": Part("tests.benchmarks.fairness:measure", "fresh returns while everything is scored again", 9),
}
