"""Run in the bench venv by `tests.benchmarks.agreement`: every engine on the same views of real photos, as JSON."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.domain import Pixels
from core.model.artefact import Artefact, verified_bytes
from core.model.card import Card
from core.model.dataset import Sample, of_split, read_samples
from core.model.engine import Engine, load_engine
from core.model.evaluation import evaluate, views_of
from core.model.folding import read_network
from core.model.inference import Device, score_photos
from core.model.openvino_forward import build_openvino_forward
from core.model.openvino_graph import build_graph
from core.model.quantisation import choose_evenly
from core.photos.decode import load_photo
from core.settings import SHIPPED_MODEL
from tests.benchmarks.agreement import REFERENCE
from tests.benchmarks.calibration_views import MANIFEST
from tests.benchmarks.decoding import full_decode
from tests.benchmarks.environment import hand_over
from tests.benchmarks.int8_model import quantised_model
from tests.benchmarks.measured import has_bfloat16
from tests.benchmarks.photographs import HEIGHT, QUALITY, WIDTH

Probabilities = NDArray[np.float64]


def find(small: bool) -> dict[str, Any]:
    """Every engine's answers beside the first one's, and what they are worth."""
    artefact = quantised_model(SHIPPED_MODEL, small=small)
    samples = of_split(read_samples(MANIFEST), "test")
    samples = choose_evenly(samples, 16) if small else samples
    photos = [views_of(sample, artefact.card) for sample in samples]
    wanted = None
    found: dict[str, Any] = {"photos": len(photos), "engines": {}}
    for name, (open_device, together) in _engines(artefact).items():
        probability = _score(open_device(), photos, artefact.card, together)
        wanted = probability if wanted is None else wanted
        found["engines"][name] = _judge(artefact.card, samples, probability, wanted)
    found["decoding"] = _decoding(artefact, choose_evenly(samples, 8 if small else 100))
    return found


def _decoding(artefact: Artefact, samples: Sequence[Sample]) -> dict[str, Any]:
    """What our reduced decoding moves: the photos, none of which is large, enlarged to 12 megapixels."""
    device, card = load_engine(artefact, precision="float32"), artefact.card
    enlarged = [_enlarged(sample) for sample in samples]
    probability = _score(device, [load_photo(data, card.input.plan).views for data in enlarged], card, 8)
    wanted = _score(device, [full_decode(data)[np.newaxis] for data in enlarged], card, 8)
    return {"photos": len(samples)} | _judge(card, samples, probability, wanted)


def _enlarged(sample: Sample) -> bytes:
    target = io.BytesIO()
    picture = Image.fromarray(sample.pixels(WIDTH)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    picture.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()


def _engines(artefact: Artefact) -> dict[str, tuple[Callable[[], Device], int]]:
    """How each is opened, and how many photos it is given at a time; the first is what the others are compared with."""

    def openvino(precision: Any) -> Engine:
        network = read_network(verified_bytes(artefact), str(artefact.weights_path))
        graph = build_graph(network, artefact.card.input.size)
        return Engine(build_openvino_forward(graph, network.head, precision=precision))

    short: dict[str, tuple[Callable[[], Device], int]] = {
        "bfloat16": (lambda: load_engine(artefact, precision="bfloat16"), 32),
        "OpenVINO, bfloat16": (lambda: openvino("bfloat16"), 32),
    }
    return {
        REFERENCE: (lambda: load_engine(artefact, precision="float32"), 32),
        "float32, one photo at a time": (lambda: load_engine(artefact, precision="float32"), 1),
        "OpenVINO, float32": (lambda: openvino("float32"), 32),
        "int8": (lambda: load_engine(artefact, precision="int8"), 32),
        **(short if has_bfloat16() else {}),
    }


def _score(device: Device, photos: Sequence[Pixels], card: Card, together: int) -> Probabilities:
    scores = [
        score
        for start in range(0, len(photos), together)
        for score in score_photos(device, photos[start : start + together], card)
    ]
    return np.array([score.probability for score in scores])


def _judge(card: Card, samples: Sequence[Sample], probability: Probabilities, wanted: Probabilities) -> dict[str, Any]:
    evaluation = evaluate(card, samples, probability, sets=False)
    apart = np.abs(probability - wanted)
    zones = (card.policy.clear_below, card.policy.damaged_at)
    return {
        "mean": float(apart.mean()),
        "p95": float(np.quantile(apart, 0.95)),
        "largest": float(apart.max()),
        "flips": int(np.sum((probability >= 0.5) != (wanted >= 0.5))),
        "verdict_zone": int(np.sum(np.digitize(probability, zones) != np.digitize(wanted, zones))),
        "overall": {name: found.model_dump() for name, found in evaluation.overall.measures.items()},
        "by_source": {name: found.model_dump() for name, found in evaluation.by_source.items()},
    }


if __name__ == "__main__":
    hand_over(find)
