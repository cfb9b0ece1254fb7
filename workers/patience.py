"""Workers and beat wait for a broker that is away or refuses: at the start and later, for ever, a line for each try."""

import warnings
from time import monotonic, sleep
from typing import Any

import structlog
from celery.beat import ScheduleEntry, SchedulingError
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import beat_init
from celery.utils.dispatch import Signal
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from redbeat import RedBeatScheduler
from redbeat.schedulers import LUA_EXTEND_TO_SCRIPT, acquire_distributed_beat_lock, get_redis
from redis.exceptions import LockError, RedisError

log = structlog.get_logger(__name__)

LONGEST_PAUSE_S = 30.0
CALM_S = 60.0  # a connection that lasted so long was a good one: the next pause is the shortest again


class PatientConsumer(Consumer):
    """A worker's connection to the broker.

    Celery by itself connects again at once: a broker that answers, but with READONLY, OOM or NOPERM, would be asked
    many times a second, with some lines of log each time.
    """

    _pause_s = 1.0
    _failed_at = 0.0

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Wait."""
        self._wait(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let the connection go, then wait."""
        with warnings.catch_warnings():  # of a setting whose value is meant (workers/app.py)
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)
        self._wait(exc)

    def _wait(self, problem: Exception) -> None:
        """Longer each time, until a connection has lasted a while; asked to end meanwhile, the worker ends."""
        calm = monotonic() - self._failed_at > CALM_S
        self._pause_s = 1.0 if calm else min(2 * self._pause_s, LONGEST_PAUSE_S)
        log.warning("waiting_for_broker", problem=str(problem), again_in_seconds=self._pause_s)
        end = monotonic() + self._pause_s
        while monotonic() < end:
            maybe_shutdown()
            sleep(0.2)
        self._failed_at = monotonic()


# RedBeat waits for its lock in a signal of Celery's, which hides what goes wrong there. `tick` takes the lock instead.
beat_init.disconnect(acquire_distributed_beat_lock)

# A beat looked what is due: also one that waits for the lock of another, or for the broker, does what it should.
ticked = Signal(name="ticked")


class PatientScheduler(RedBeatScheduler):  # type: ignore[misc]  # RedBeat has no types
    """RedBeat's scheduler, which by itself ends with its connection, or when its lock expires meanwhile."""

    _written = False
    _pause_s = 1.0

    def setup_schedule(self) -> None:
        """Nothing yet: who is told to end while it waits for the broker here could not be ended."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due if this beat holds the lock; the seconds until the next look."""
        ticked.send(sender=self)
        try:
            if not self._hold_lock():
                return float(self.max_interval)
            if not self._written:
                super().setup_schedule()
                self._written = True
            pause = float(super().tick(*args, **kwargs))
        except LockError:  # it expired while the broker was away, or the broker came back empty
            self.lock = None
            self._written = False
            return 0.0
        except (RedisError, SchedulingError) as error:
            self._written = False
            pause, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
            log.warning("waiting_for_broker", problem=str(error), again_in_seconds=pause)
            return pause
        self._pause_s = 1.0
        return pause

    def maybe_due(self, entry: ScheduleEntry, **kwargs: Any) -> float:
        """Send the entry if it is due; the seconds until it is due again. Raises what sending it raises."""
        due, seconds = entry.is_due()
        if due:
            log.info("sending", task=entry.task)
            self.apply_async(entry, **kwargs)
        return float(seconds)

    def close(self) -> None:
        """Give the lock back where that is possible; it expires otherwise."""
        try:
            super().close()
        except RedisError as error:
            log.warning("lock_not_released", problem=str(error))

    def _hold_lock(self) -> bool:
        if self.lock is None:
            client = get_redis(self.app)
            lock = client.lock(self.lock_key, timeout=self.lock_timeout)
            lock.lua_extend = client.register_script(LUA_EXTEND_TO_SCRIPT)  # to a time from now, not by a time more
            if not lock.acquire(blocking=False):
                return False
            log.info("beat: Acquired lock")
            self.lock = lock
        return True
