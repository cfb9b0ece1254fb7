import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import DeviceBroken, ModelFailed, ModelUnusable, PhotoRefused, Refusal
from core.model.artefact import Artefact
from core.model.engine import ViewOutputs
from core.model.evidence import Evidence
from core.model.inference import BATCHES_WAITING, MAX_DEVICE_FAILURES, BatchingClassifier, score_photos
from core.model.pooling import Pooling
from tests.unit.core.model.test_card import make_card

SIZE, BATCH = 32, 8
POISON = 66


def wait_for_queue(classifier: BatchingClassifier, length: int) -> bool:
    """Whether the queue comes to hold exactly so many photos."""
    with classifier._changed:
        return classifier._changed.wait_for(lambda: len(classifier._queue) == length, 30)


class Brightness:
    """A device whose logit is a view's mean brightness / 100 - 1. It fails on a view with a `POISON` first pixel."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()
        self.watch: BatchingClassifier | None = None
        self.waiting: list[int] = []

    def run(self, views: np.ndarray) -> ViewOutputs:
        self.entered.set()
        assert self.go.wait(60)
        if self.watch is not None:
            self.waiting.append(len(self.watch._queue))
        self.batches.append(len(views))
        if self.broken or POISON in views[:, 0, 0, 0]:
            raise ModelFailed("the device failed")
        maps = views.mean(axis=3).reshape(len(views), 4, SIZE // 4, 4, SIZE // 4).mean(axis=(2, 4)) / 100
        logits = maps.mean(axis=(1, 2)) - 1
        cells = np.stack([maps - 1, -maps], axis=-1)
        parts = (logits, maps, np.full(len(views), -1.0), maps.reshape(len(views), -1), cells)
        return ViewOutputs(*(part.astype(np.float32) for part in parts))

    @contextmanager
    def resources(self) -> Iterator[None]:
        """Scores nothing inside the block; always let go at its end, or a failed test would wait for ever."""
        self.go.clear()
        try:
            yield
        finally:
            self.go.set()


def photo(value: int) -> np.ndarray:
    return np.full((1, SIZE, SIZE, 3), value, np.uint8)


def artefact(**card: Any) -> Artefact:
    return Artefact(Path("unread"), make_card(**{"input": {"size": SIZE}, **card}))


@pytest.fixture
def device() -> Brightness:
    return Brightness()


@pytest.fixture
def classifier(device: Brightness) -> Any:
    with_device = BatchingClassifier(artefact(), batch_size=BATCH, open_device=lambda: device)
    yield with_device
    with_device.close()


def test_callers_share_batches_and_each_gets_its_own(classifier: BatchingClassifier, device: Brightness) -> None:
    values = [[10 * caller + i for i in range(3)] for caller in range(5)]
    with ThreadPoolExecutor(6) as callers, device.resources():
        callers.submit(classifier.classify, [photo(200)])
        assert device.entered.wait(30)
        answers = [callers.submit(classifier.classify, [photo(value) for value in asked]) for asked in values]
        assert wait_for_queue(classifier, 15)
    for asked, answer in zip(values, answers, strict=True):
        assert [score.logit for score in answer.result()] == pytest.approx([v / 100 - 1 for v in asked], abs=1e-6)
    assert device.batches == [1, 8, 7]


def test_the_queue_is_bounded(classifier: BatchingClassifier, device: Brightness) -> None:
    with ThreadPoolExecutor(1) as caller:
        with device.resources():
            answer = caller.submit(classifier.classify, [photo(1)] * 100)
            assert device.entered.wait(30)
            assert wait_for_queue(classifier, BATCHES_WAITING * BATCH)
            device.watch = classifier
        assert len(answer.result()) == 100
    assert max(device.waiting) <= BATCHES_WAITING * BATCH


def test_only_the_culprits_caller_gets_the_error(classifier: BatchingClassifier, device: Brightness) -> None:
    with ThreadPoolExecutor(4) as callers, device.resources():
        callers.submit(classifier.classify, [photo(0)])
        assert device.entered.wait(30)
        good = [callers.submit(classifier.classify, [photo(value), photo(value)]) for value in (100, 120)]
        bad = callers.submit(classifier.classify, [photo(POISON)])
        assert wait_for_queue(classifier, 5)
    with pytest.raises(PhotoRefused) as refused:
        bad.result()
    assert refused.value.reason is Refusal.CLASSIFIER_FAILED
    assert [[score.logit for score in answer.result()] for answer in good] == [
        pytest.approx([0, 0], abs=1e-6),
        pytest.approx([0.2, 0.2], abs=1e-6),
    ]


def test_a_broken_device_blames_no_photo(classifier: BatchingClassifier, device: Brightness) -> None:
    device.broken = True
    with pytest.raises(ModelFailed, match="even on a blank photo"):
        classifier.classify([photo(1), photo(2)])
    device.broken = False
    assert len(classifier.classify([photo(1)])) == 1


def fail(classifier: BatchingClassifier, photos: int = 1) -> ModelFailed:
    """The error of photos that a broken device cannot score."""
    with pytest.raises(ModelFailed) as failed:
        classifier.classify([photo(1)] * photos)
    return failed.value


def test_a_device_that_stays_broken_is_given_up_and_not_tried_again(
    classifier: BatchingClassifier, device: Brightness
) -> None:
    device.broken = True
    errors = [fail(classifier, photos=3) for _ in range(MAX_DEVICE_FAILURES)]
    assert [isinstance(error, DeviceBroken) for error in errors] == [False] * (MAX_DEVICE_FAILURES - 1) + [True]
    assert "this worker ends" in str(errors[-1])
    tried = len(device.batches)
    device.broken = False
    assert isinstance(fail(classifier), DeviceBroken)
    assert len(device.batches) == tried


def test_a_photo_scored_in_between_shows_that_the_device_works(
    classifier: BatchingClassifier, device: Brightness
) -> None:
    for _ in range(MAX_DEVICE_FAILURES):
        device.broken = True
        assert not isinstance(fail(classifier), DeviceBroken)
        device.broken = False
        assert len(classifier.classify([photo(1)])) == 1


def test_a_blank_photo_scored_in_between_shows_it_too(classifier: BatchingClassifier, device: Brightness) -> None:
    for _ in range(MAX_DEVICE_FAILURES):
        device.broken = True
        assert not isinstance(fail(classifier), DeviceBroken)
        device.broken = False
        with pytest.raises(PhotoRefused):
            classifier.classify([photo(POISON)])


def test_photos_that_the_device_fails_on_do_not_count_against_it(classifier: BatchingClassifier) -> None:
    for _ in range(MAX_DEVICE_FAILURES + 1):
        with pytest.raises(PhotoRefused):
            classifier.classify([photo(POISON)])


def test_a_broken_device_is_tried_once_a_batch(classifier: BatchingClassifier, device: Brightness) -> None:
    """The whole batch, one photo of it, a blank one: what is left of the batch is not tried."""
    device.broken = True
    with ThreadPoolExecutor(2) as callers, device.resources():
        callers.submit(fail, classifier)
        assert device.entered.wait(30)
        answer = callers.submit(fail, classifier, BATCH)
        assert wait_for_queue(classifier, BATCH)
    answer.result()
    classifier.close()
    assert device.batches == [1, 1, 1, BATCH, 1, 1]


def test_nothing_loads_before_the_first_photo_and_then_once() -> None:
    opened: list[Brightness] = []

    def open_device() -> Brightness:
        opened.append(Brightness())
        return opened[-1]

    threads = threading.active_count()
    classifier = BatchingClassifier(artefact(), open_device=open_device)
    assert classifier.identity.name == "resnet50-2026"
    assert classifier.plan.size == SIZE
    assert (opened, threading.active_count()) == ([], threads)
    classifier.warm_up()
    classifier.classify([photo(1)])
    assert len(opened) == 1
    classifier.close()
    assert threading.active_count() == threads


def test_a_model_that_does_not_load_says_so_to_every_caller() -> None:
    def open_device() -> Brightness:
        raise ModelUnusable("model.keras does not match its card")

    classifier = BatchingClassifier(artefact(), open_device=open_device)
    for _ in range(2):
        with pytest.raises(ModelUnusable, match="does not match"):
            classifier.classify([photo(1)])
    classifier.close()


def test_closing_answers_those_in_the_queue_and_frees_those_outside(
    classifier: BatchingClassifier, device: Brightness
) -> None:
    with ThreadPoolExecutor(42) as callers, device.resources():
        answers = [callers.submit(classifier.classify, [photo(1)]) for _ in range(40)]
        assert device.entered.wait(30)
        assert wait_for_queue(classifier, BATCHES_WAITING * BATCH)
        closing = [callers.submit(classifier.close) for _ in range(2)]
    for done in closing:
        done.result()
    errors = [error for answer in answers if (error := answer.exception()) is not None]
    assert all(isinstance(error, ModelFailed) for error in errors)
    assert sum(device.batches) == 40 - len(errors)


def test_tiles_are_pooled_calibrated_and_explained() -> None:
    card = make_card(
        input={"size": SIZE, "tiles": 2}, pooling=Pooling(whole=1, tile_max=0.5, bias=0.25), temperature=2.0
    )
    views = np.concatenate([photo(value) for value in (100, 100, 220, 100, 0)])
    score = score_photos(Brightness(), [views], card)[0]
    assert score.logit == pytest.approx((0 + 0.5 * 1.2 + 0.25) / 2, abs=1e-6)
    assert score.probability == pytest.approx(1 / (1 + np.exp(-score.logit)))
    assert score.heatmap.shape == (8, 8)
    assert score.heatmap.mean() == pytest.approx((1 + 0.5 * 2.2) / 2, abs=1e-5)
    assert score.heatmap[0, -1] > score.heatmap[0, 0]


def test_a_photos_map_that_does_not_explain_its_logit_is_an_error() -> None:
    class Wrong(Brightness):
        """Its maps add up to other logits; the engine, which checks each view, is not asked here."""

        def run(self, views: np.ndarray) -> ViewOutputs:
            return replace(super().run(views), constants=np.full(len(views), -0.9, np.float32))

    with pytest.raises(ModelFailed, match="does not add up"):
        score_photos(Wrong(), [photo(100), photo(120)], make_card(input={"size": SIZE}))


def test_the_devices_time_is_shared_by_the_photos_of_a_batch() -> None:
    class Slow(Brightness):
        def run(self, views: np.ndarray) -> ViewOutputs:
            time.sleep(0.2)
            return super().run(views)

    started = time.perf_counter()
    scores = score_photos(Slow(), [photo(100)] * 4, make_card(input={"size": SIZE}))
    elapsed = time.perf_counter() - started
    assert len({score.device_seconds for score in scores}) == 1
    assert 0.2 <= sum(score.device_seconds for score in scores) <= elapsed


def test_the_map_of_damage_enters_the_logit_and_the_heat_map_still_adds_up() -> None:
    evidence = Evidence(head=0.5, largest=2.0, cells=4, area=0.25, bias=-0.125)
    card = make_card(
        input={"size": SIZE}, outlines={"cells": 4, "kinds": ["scratch"], "parameters": 1, "evidence": evidence}
    )
    bright = photo(50)
    bright[0, : SIZE // 4] = 250
    score = score_photos(Brightness(), [bright], card)[0]
    head, area = 0.25 * 2.5 + 0.75 * 0.5 - 1, np.log((4 / (1 + np.exp(-1.5)) + 12 / (1 + np.exp(0.5))) / 16 + 1e-4)
    assert score.logit == pytest.approx(0.5 * head + 2.0 * 1.5 + 0.25 * area - 0.125, abs=1e-5)
    assert score.heatmap.mean() == pytest.approx(0.5 * (head + 1), abs=1e-5)
    assert score.cells is not None
    assert score.cells.shape == (4, 4, 2)
    np.testing.assert_allclose(score.cells[0, :, 0], 1.5)


def test_a_device_without_the_map_that_the_card_asks_for_is_an_error() -> None:
    class Blind(Brightness):
        def run(self, views: np.ndarray) -> ViewOutputs:
            return replace(super().run(views), cells=np.zeros((len(views), 0, 0, 0), np.float32))

    card = make_card(input={"size": SIZE}, outlines={"cells": 8, "kinds": [], "parameters": 1})
    with pytest.raises(ModelFailed, match="no map of damage"):
        score_photos(Blind(), [photo(1)], card)


def test_an_interpreter_that_forgets_to_close_ends() -> None:
    script = """
from tests.unit.core.model.test_inference import *
classifier = BatchingClassifier(artefact(), open_device=Brightness)
print(len(classifier.classify([photo(1)] * 3)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, cwd=Path.cwd()
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
