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
from core.model.engine import Engine, load_engine
from core.model.folding import read_network
from core.model.inference import Device, score_photos
from core.model.openvino_forward import build_openvino_forward
from core.model.openvino_graph import build_graph
from core.model.precision import has_bfloat16
from core.photos.decode import load_photo
from core.settings import SHIPPED_MODEL
from core.training.dataset import Sample, of_split, read_samples
from core.training.evaluation import evaluate, views_of
from core.training.quantisation import choose_evenly
from tests.benchmarks.agreement import REFERENCE
from tests.benchmarks.calibration_views import MANIFEST
from tests.benchmarks.decoding import full_decode
from tests.benchmarks.environment import hand_over
from tests.benchmarks.int8_model import quantised_model
from tests.benchmarks.photographs import HEIGHT, QUALITY, WIDTH

Probabilities = NDArray[np.float64]


def find(small: bool) -> dict[str, Any]:
    """Every engine's answers beside the first one's, and what they are worth; on fewer, what else might move them."""
    artefact = quantised_model(SHIPPED_MODEL, small=small)
    samples = of_split(read_samples(MANIFEST), "test")
    samples, some = choose_evenly(samples, 16 if small else len(samples)), choose_evenly(samples, 8 if small else 100)
    photos = [views_of(sample, artefact.card) for sample in samples]
    wanted = None
    found: dict[str, Any] = {"photos": len(photos), "engines": {}}
    for name, open_device in _engines(artefact).items():
        probability = _score(open_device(), photos, artefact.card)
        wanted = probability if wanted is None else wanted
        found["engines"][name] = _judge(artefact.card, samples, probability, wanted)
    device = load_engine(artefact, precision="float32")
    moved = {"one by one": _one_by_one(device, some, artefact.card), "decoding": _decoding(device, some, artefact.card)}
    return found | moved | {"some": len(some)}


def _one_by_one(device: Device, samples: Sequence[Sample], card: Card) -> dict[str, Any]:
    """What scoring a photo by itself moves."""
    photos = [views_of(sample, card) for sample in samples]
    return _judge(card, samples, _score(device, photos, card, together=1), _score(device, photos, card))


def _decoding(device: Device, samples: Sequence[Sample], card: Card) -> dict[str, Any]:
    """What our reduced decoding moves: the photos, none of which is large, enlarged to 12 megapixels."""
    enlarged = [_enlarged(sample) for sample in samples]
    probability = _score(device, [load_photo(data, card.input.plan).views for data in enlarged], card)
    return _judge(card, samples, probability, _score(device, [full_decode(data)[None] for data in enlarged], card))


def _enlarged(sample: Sample) -> bytes:
    target = io.BytesIO()
    picture = Image.fromarray(sample.pixels(WIDTH)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    picture.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()


def _engines(artefact: Artefact) -> dict[str, Callable[[], Device]]:
    """How each is opened; the first is what the others are compared with."""

    def openvino() -> Engine:
        network = read_network(verified_bytes(artefact), str(artefact.weights_path))
        graph = build_graph(network, artefact.card.input.size)
        return Engine(build_openvino_forward(graph, network.head))

    short: dict[str, Callable[[], Device]] = {"bfloat16": lambda: load_engine(artefact, precision="bfloat16")}
    return {
        REFERENCE: lambda: load_engine(artefact, precision="float32"),
        "OpenVINO, float32": openvino,
        "int8": lambda: load_engine(artefact, precision="int8"),
        **(short if has_bfloat16() else {}),
    }


def _score(device: Device, photos: Sequence[Pixels], card: Card, together: int = 8) -> Probabilities:
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
