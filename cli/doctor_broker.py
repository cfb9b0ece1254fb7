"""What `walkaround doctor` asks the broker: will it let workers work, which of them answer, and does a beat run?"""

from kombu.exceptions import OperationalError
from redbeat.schedulers import ensure_conf
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError

from cli.finding import Finding
from core.settings import PREFIX, Settings
from workers.app import make_app
from workers.broker import connect, try_out
from workers.queues import QUEUES

_FIXES: tuple[tuple[type[RedisError], str, str], ...] = (
    (NoPermissionError, "does not let this user do what a worker does", "give it the rights listed in docs/deploy.md"),
    (ReadOnlyError, "is a replica and takes no messages", f"name the primary in {PREFIX}BROKER_URL"),
    (OutOfMemoryError, "is full and takes no messages", "start workers that empty it, or raise its maxmemory"),
    (AuthenticationError, "refuses this user or password", f"correct {PREFIX}BROKER_URL"),
)
_OF_THE_BROKER = "mend what the check of the broker says"


def check_broker(settings: Settings) -> Finding:
    """Whether the broker lets us do what a worker does."""
    try:
        try_out(settings)
    except RedisError as error:
        for kind, problem, fix in _FIXES:
            if isinstance(error, kind):
                return Finding("broker", False, f"{settings.broker} {problem}: {error}", fix)
        if "MISCONF" in str(error):
            fix = "free its disk: it takes no messages while it cannot save them"
            return Finding("broker", False, f"{settings.broker} cannot write to its disk: {error}", fix)
        if "certificate" in str(error).lower():
            fix = f"name the CA that signed its certificate in {PREFIX}BROKER_CA_BUNDLE, and the host as in it"
            return Finding("broker", False, f"{settings.broker} cannot be verified: {error}", fix)
        fix = f"start it, or correct {PREFIX}BROKER_URL"
        return Finding("broker", False, f"{settings.broker} does not answer: {error}", fix)
    return Finding("broker", True, f"{settings.broker} answers, takes messages and lets us subscribe")


def check_workers(settings: Settings) -> Finding:
    """Whether some worker serves each queue."""
    try:
        served = make_app(settings).control.inspect(timeout=2).active_queues() or {}
    except (OperationalError, RedisError) as error:
        return Finding("workers", False, f"workers cannot be asked: {error}", _OF_THE_BROKER)
    queues = {queue["name"] for worker in served.values() for queue in worker}
    idle = [queue for queue in QUEUES if queue not in queues]
    if idle:
        seen = f"{len(served)} workers answer, and none of them serves {', '.join(idle)}"
        return Finding("workers", False, seen, f"start one: walkaround worker --queues {','.join(idle)}")
    return Finding("workers", True, f"{len(served)} workers serve all queues")


def check_schedule(settings: Settings) -> Finding:
    """Whether a beat holds the schedule's lock."""
    lock = ensure_conf(make_app(settings)).lock_key
    try:
        with connect(settings) as client:
            running = client.exists(lock)
    except RedisError as error:
        return Finding("schedule", False, f"the schedule cannot be asked: {error}", _OF_THE_BROKER)
    if not running:
        seen = "no beat holds the schedule's lock, so lost messages are not repeated and no nightly scan starts"
        return Finding("schedule", False, seen, "start one: walkaround beat")
    return Finding("schedule", True, "a beat is running")
