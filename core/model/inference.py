"""The classifier of a worker process: photos of many callers at once, scored together in batches on one device."""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np

from core.domain import ModelIdentity, Pixels, Score, ViewPlan
from core.errors import DeviceBroken, ModelFailed, PhotoRefused, Refusal
from core.model.artefact import Artefact
from core.model.card import Card
from core.model.device import ComputeDevice, DeviceChoice
from core.model.engine import ViewOutputs, load_engine
from core.model.evidence import CombinedLogits, combine
from core.model.heatmap import check_exact, compose
from core.model.pooling import PooledLogits, pool
from core.model.precision import Precision, identity_in

log = logging.getLogger(__name__)

# How long a photo waits for others when the device is idle; a photo takes 40 ms or more on a CPU, so it costs nothing.
MAX_WAIT_S = 0.005
# Batches that may wait while one is on the device; callers beyond that block, which bounds memory.
BATCHES_WAITING = 2
# So many batches in a row that failed although a blank photo alone failed too: the device will not recover by itself.
MAX_DEVICE_FAILURES = 3


class Device(Protocol):
    """Scores uint8 RGB views (n, size, size, 3), for one thread at a time. `core.model.engine.Engine` is one."""

    def run(self, views: Pixels) -> ViewOutputs:
        """Logits, exact heat maps and features of uint8 views (n, size, size, 3)."""


@dataclass(frozen=True, slots=True)
class _Request:
    photo: Pixels
    answer: Future[Score] = field(default_factory=Future)


class BatchingClassifier:
    """`core.domain.Classifier` over an artefact. Its device loads at the first photo, in its own thread."""

    def __init__(
        self,
        artefact: Artefact,
        *,
        batch_size: int = 32,
        precision: Precision = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
        on_device: Callable[[ComputeDevice], object] = lambda _: None,
        open_device: Callable[[], Device] | None = None,
    ) -> None:
        """`batch_size` counts views of 224 x 224 pixels, and a larger view as more.

        So batches of any model take the same memory. `on_device` gets the device once it is open. `open_device`
        stands in for the engine.
        """
        self._card = artefact.card
        self._identity = identity_in(artefact, precision)
        self._plan = artefact.card.input.plan
        self._photos_per_batch = max(1, int(batch_size / self._plan.cost))
        views = self._photos_per_batch * self._plan.count
        self._open_device = open_device or partial(
            load_engine,
            artefact,
            precision=precision,
            device=device,
            batch_size=views,
            threads=threads,
            on_device=on_device,
        )
        self._device: Device | None = None
        self._device_failures = 0
        self._broken: DeviceBroken | None = None
        self._queue: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is, and in which arithmetic it answers."""
        return self._identity

    @property
    def plan(self) -> ViewPlan:
        """The views it wants of each photo."""
        return self._plan

    def warm_up(self) -> None:
        """Load the model and score a blank photo, so that the first set does not wait for it. Raises as `classify`."""
        self.classify([self._blank()])

    def classify(self, photos: Sequence[Pixels]) -> list[Score]:
        """One score per photo, in order. Blocks while the queue is full and until all are scored.

        Raises `PhotoRefused(CLASSIFIER_FAILED)` where one of these photos, scored alone, makes a healthy device fail;
        `ModelFailed` where the device fails or the classifier is closed; `DeviceBroken` for ever once the device has
        failed `MAX_DEVICE_FAILURES` times in a row; `ModelUnusable`; `ValueError` for other shapes than the plan's.
        """
        check_photos(photos, self._plan)
        requests = [_Request(photo) for photo in photos]
        for request in requests:
            self._submit(request)
        return [request.answer.result() for request in requests]

    def close(self) -> None:
        """Score what is queued, stop the thread and release the device. Closing twice changes nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        atexit.unregister(self.close)

    def _submit(self, request: _Request) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._queue) < BATCHES_WAITING * self._photos_per_batch)
            if self._closed:
                raise ModelFailed("the classifier is closed: its worker is stopping, another one will score this photo")
            if self._thread is None:
                # A daemon, or the interpreter would wait for it before it runs the exit handler that ends it.
                self._thread = threading.Thread(target=self._serve, name="classifier", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._queue.append(request)
            self._changed.notify_all()

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._score_batch(batch)
        self._device = None

    def _next_batch(self) -> list[_Request]:
        """The photos waiting, after a moment for more while there are few. Empty when closed and all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._queue)
            deadline = time.monotonic() + MAX_WAIT_S
            self._changed.wait_for(
                lambda: self._closed or len(self._queue) >= self._photos_per_batch, deadline - time.monotonic()
            )
            size = min(len(self._queue), self._photos_per_batch)
            batch = [self._queue.popleft() for _ in range(size)]
            self._changed.notify_all()
            return batch

    def _score_batch(self, batch: list[_Request]) -> None:
        """Answer every request: a failed batch is scored photo by photo to find which one the device fails on."""
        if self._broken is not None:
            _refuse(batch, self._broken)
            return
        try:
            device = self._device = self._device or self._open_device()
        except Exception as error:
            _refuse(batch, error)
            return
        try:
            scores = score_photos(device, [request.photo for request in batch], self._card)
        except Exception as error:
            log.warning("a batch of %d photos failed (%s); scoring them one by one", len(batch), error)
            self._score_one_by_one(device, batch)
            return
        self._device_failures = 0
        for request, score in zip(batch, scores, strict=True):
            request.answer.set_result(score)

    def _score_one_by_one(self, device: Device, batch: list[_Request]) -> None:
        """A photo that fails alone is refused if the device still scores a blank one; if not, the device has failed."""
        for number, request in enumerate(batch):
            try:
                score = score_photos(device, [request.photo], self._card)[0]
            except Exception as error:
                try:
                    score_photos(device, [self._blank()], self._card)
                except Exception as failure:
                    _refuse(batch[number:], self._count_failure(failure))
                    return
                request.answer.set_exception(PhotoRefused(Refusal.CLASSIFIER_FAILED, str(error)))
            else:
                request.answer.set_result(score)
            self._device_failures = 0

    def _count_failure(self, failure: Exception) -> ModelFailed:
        """The error for the photos that the device could not score: final after `MAX_DEVICE_FAILURES` in a row."""
        self._device_failures += 1
        if self._device_failures < MAX_DEVICE_FAILURES:
            return ModelFailed(f"the device fails even on a blank photo ({failure}); other workers score these photos")
        self._broken = DeviceBroken(
            f"the device failed {self._device_failures} times in a row, even on blank photos ({failure}), and is not "
            "tried again; this worker ends: check the device (`nvidia-smi`, the kernel's log), then start it again"
        )
        return self._broken

    def _blank(self) -> Pixels:
        return np.zeros((self._plan.count, self._plan.size, self._plan.size, 3), dtype=np.uint8)


def _refuse(requests: Sequence[_Request], error: Exception) -> None:
    for request in requests:
        request.answer.set_exception(error)


def check_photos(photos: Sequence[Pixels], plan: ViewPlan) -> None:
    """Raise `ValueError` unless every photo is uint8 of shape (plan.count, size, size, 3)."""
    shape = (plan.count, plan.size, plan.size, 3)
    for photo in photos:
        if photo.dtype != np.uint8 or photo.shape != shape:
            raise ValueError(f"a photo is {photo.dtype} {photo.shape}; the model wants uint8 {shape}")


def score_photos(device: Device, photos: Sequence[Pixels], card: Card) -> list[Score]:
    """Score photos in one go: their views through the device, pooled, calibrated, their heat maps composed.

    The heat map is the head's part of the calibrated logit: mean(heatmap) + a constant = logit, checked for every
    photo; the constant holds what the map of damage adds.
    Raises whatever the device raises, and `ModelFailed` where a heat map does not add up.
    """
    plan = card.input.plan
    started = time.perf_counter()
    outputs = device.run(np.concatenate(photos))
    device_seconds = (time.perf_counter() - started) / len(photos)
    pooled, combined = photo_evidence(outputs, card)
    maps = outputs.heatmaps.reshape(len(photos), plan.count, *outputs.heatmaps.shape[1:])
    heatmaps = combined.head * compose(maps, plan, pooled) / card.temperature
    constants = np.sum(pooled.weights * outputs.constants.reshape(-1, plan.count), axis=1) + pooled.constants
    constants = combined.head * constants + combined.constants
    logits = combined.logits / card.temperature
    check_exact(heatmaps, constants / card.temperature, logits)
    probabilities = np.exp(-np.logaddexp(0.0, -logits))
    distances = _vehicle_distances(outputs, card)
    cells = outputs.cells[:: plan.count]
    return [
        Score(
            float(probability),
            float(logit),
            heatmap.astype(np.float32),
            distance,
            where if where.size else None,
            device_seconds=device_seconds,
        )
        for probability, logit, heatmap, distance, where in zip(
            probabilities, logits, heatmaps, distances, cells, strict=True
        )
    ]


def photo_evidence(outputs: ViewOutputs, card: Card) -> tuple[PooledLogits, CombinedLogits]:
    """Of the views of n photos: the head's pooled logits, and the photos' logits before the temperature.

    The map's evidence is that of the whole photo's view. Raises `ModelFailed` where the device gives no map.
    """
    pooled = pool(outputs.logits.reshape(-1, card.input.plan.count), card.pooling)
    if card.outlines is None:
        return pooled, CombinedLogits(pooled.logits, 1.0, np.zeros(len(pooled.logits)))
    maps = outputs.cells[:: card.input.plan.count, ..., :1]
    if not maps.size:
        raise ModelFailed("the device gives no map of damage, which this model's card asks for: load the model again")
    return pooled, combine(pooled.logits, maps, card.outlines.evidence)


def _vehicle_distances(outputs: ViewOutputs, card: Card) -> Sequence[float | None]:
    """One for each photo, from the features of its first view, the whole photo; None where the card knows no space."""
    whole = outputs.features[:: card.input.plan.count]
    if card.fitted is None or card.fitted.vehicle is None:
        return [None] * len(whole)
    return [round(float(distance), 6) for distance in card.fitted.vehicle.distances(whole)]
