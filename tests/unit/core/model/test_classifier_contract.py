"""What every `Classifier` owes its callers: the fixed one for tests, the real one, and the shipped model."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from core.domain import Classifier
from core.errors import ModelFailed
from core.model.artefact import Artefact, open_artefact
from core.model.inference import BatchingClassifier
from core.settings import SHIPPED_MODEL
from core.testing.fixed_classifier import FixedClassifier


def fixed(request: pytest.FixtureRequest) -> Classifier:
    return FixedClassifier()


def random(request: pytest.FixtureRequest) -> Classifier:
    return BatchingClassifier(_random_artefact(request), batch_size=4)


def shipped(request: pytest.FixtureRequest) -> Classifier:
    if not SHIPPED_MODEL.is_dir():
        pytest.skip("no model is shipped in models/ yet")
    return BatchingClassifier(open_artefact(SHIPPED_MODEL), batch_size=4)


def int8(request: pytest.FixtureRequest) -> Classifier:
    """The random one on OpenVINO, by the way that int8 is loaded."""
    pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    from tests.quantised import write_as_quantised

    folder = request.getfixturevalue("tmp_path_factory").mktemp("int8") / "model"
    shutil.copytree(_random_artefact(request).folder, folder)
    copy = open_artefact(folder)
    write_as_quantised(copy)
    return BatchingClassifier(copy, batch_size=4, precision="int8")


def _random_artefact(request: pytest.FixtureRequest) -> Artefact:
    found: Artefact = request.getfixturevalue("artefact")
    return found


MAKERS: list[Callable[[pytest.FixtureRequest], Classifier]] = [fixed, random, int8, shipped]


@pytest.fixture(scope="module", params=MAKERS, ids=lambda maker: maker.__name__)
def classifier(request: pytest.FixtureRequest) -> Iterator[Classifier]:
    made: Classifier = request.param(request)
    yield made
    made.close()


@pytest.fixture(scope="module")
def photos(classifier: Classifier) -> list[np.ndarray]:
    plan = classifier.plan
    coarse = np.random.default_rng(5).integers(0, 256, (6, plan.count, 8, 8, 3), dtype=np.uint8)
    return list(coarse.repeat(plan.size // 8, axis=2).repeat(plan.size // 8, axis=3))


def test_identity_is_stable(classifier: Classifier) -> None:
    assert classifier.identity == classifier.identity
    assert len(classifier.identity.weights_sha256) == len(classifier.identity.preprocess_sha256) == 64


def test_scores_are_whole(classifier: Classifier, photos: list[np.ndarray]) -> None:
    scores = classifier.classify(photos)
    assert len(scores) == len(photos)
    assert len({score.logit for score in scores}) == len(photos)
    for score in scores:
        assert type(score.probability) is type(score.logit) is float
        assert score.probability == pytest.approx(1 / (1 + np.exp(-score.logit)), abs=1e-9)
        assert score.heatmap.dtype == np.float32
        assert score.heatmap.ndim == 2
        assert np.isfinite(score.heatmap).all()


def test_the_map_follows_what_it_shows(classifier: Classifier, photos: list[np.ndarray]) -> None:
    """Redness moved to the other side of the photo moves in the map."""
    photo = np.zeros_like(photos[0])
    photo[:, :, : photo.shape[2] // 2, 0] = 255
    left, right = classifier.classify([photo, np.ascontiguousarray(photo[:, :, ::-1])])
    assert np.abs(left.heatmap - right.heatmap).max() > 1e-3


def test_order_and_company_do_not_matter(classifier: Classifier, photos: list[np.ndarray]) -> None:
    together = [score.probability for score in classifier.classify(photos)]
    backwards = [score.probability for score in classifier.classify(photos[::-1])][::-1]
    alone = [classifier.classify([photo])[0].probability for photo in photos]
    np.testing.assert_allclose(backwards, together, atol=1e-3)
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_many_threads_get_their_own_answers(classifier: Classifier, photos: list[np.ndarray]) -> None:
    expected = [score.probability for score in classifier.classify(photos)]
    with ThreadPoolExecutor(len(photos)) as callers:
        answers = list(callers.map(lambda photo: classifier.classify([photo])[0].probability, photos))
    np.testing.assert_allclose(answers, expected, atol=1e-3)


def test_no_photos_is_no_scores(classifier: Classifier) -> None:
    assert classifier.classify([]) == []


def test_photos_of_another_shape_or_type_are_refused(classifier: Classifier, photos: list[np.ndarray]) -> None:
    wrongs: list[Any] = [photos[0][0], photos[0][:, ::2], photos[0].astype(np.float32)]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="the model wants uint8"):
            classifier.classify([photos[0], wrong])


@pytest.mark.parametrize("maker", MAKERS[:-1], ids=lambda maker: maker.__name__)
def test_closed_is_closed_and_closing_twice_is_fine(
    maker: Callable[[pytest.FixtureRequest], Classifier], request: pytest.FixtureRequest
) -> None:
    classifier = maker(request)
    classifier.close()
    classifier.close()
    plan = classifier.plan
    with pytest.raises(ModelFailed, match="closed"):
        classifier.classify([np.zeros((plan.count, plan.size, plan.size, 3), np.uint8)])
