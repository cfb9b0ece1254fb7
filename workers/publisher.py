"""How messages go out: through Celery, to queues that are kept short, past a broker that is away or full."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError

from core.errors import BrokerUnavailable
from core.settings import Settings
from db.transactions import WorkKey
from workers import metrics
from workers.broker import connect
from workers.outages import report_outage


@dataclass(slots=True)
class _Room:
    """How many messages a queue had room for when its length was read, less those sent since."""

    messages: int
    read_at: float


class CeleryPublisher:
    """Sends messages for work. One that is not sent is no error: its work stays due, and is published later.

    A queue gets no more than `target` messages: a broker has little memory, and the database holds the rest. Finding
    out that the broker is away takes seconds each time, so after a failure nothing is sent for `PAUSE_S` seconds.
    """

    PAUSE_S = 15.0
    # A message takes about 1 kB of the broker's memory: 20 MB a queue. Workers that empty it within a tick of the
    # reconciler, a minute, score 333 sets a second.
    TARGET = 20_000
    # The length of a queue is read this often; in between, what this process sends is subtracted.
    READ_EVERY_S = 1.0

    def __init__(
        self, app: Celery, settings: Settings, clock: Callable[[], float] = monotonic, target: int = TARGET
    ) -> None:
        self._app = app
        self._broker = connect(settings)
        self._key_prefix = settings.broker_key_prefix
        self._clock = clock
        self._target = target
        self._lock = Lock()
        self._rooms: dict[str, _Room] = {}
        self._silent_until = -inf

    def __call__(self, work: WorkKey, queue: str) -> bool:
        """See `Publisher`."""
        if self.room(queue) == 0:
            return False
        message = [work.set_id, work.model_id, work.generation]
        try:
            self._app.send_task("walkaround.classify", args=message, queue=queue, retry=False)
        except OperationalError as error:
            self._be_silent(BrokerUnavailable(f"the broker takes no message: {error}"))
            return False
        with self._lock:
            self._rooms[queue].messages -= 1
        return True

    def room(self, queue: str) -> int:
        """See `Publisher`."""
        now = self._clock()
        with self._lock:
            if now < self._silent_until:
                return 0
            known = self._rooms.get(queue)
            if known is None or now - known.read_at >= self.READ_EVERY_S:
                try:
                    length = self.length(queue)
                except BrokerUnavailable as error:
                    self._be_silent(error)
                    return 0
                known = self._rooms[queue] = _Room(self._target - length, now)
            return max(0, known.messages)

    def length(self, queue: str) -> int:
        """See `Publisher`."""
        try:
            return int(self._broker.llen(f"{self._key_prefix}{queue}"))
        except RedisError as error:
            raise BrokerUnavailable(f"the broker does not answer: {error}; check WALKAROUND_BROKER_URL") from error

    def _be_silent(self, error: BrokerUnavailable) -> None:
        self._silent_until = self._clock() + self.PAUSE_S
        metrics.PUBLISH_FAILURES.inc()
        report_outage("publish_failed", error, silent_seconds=self.PAUSE_S)
