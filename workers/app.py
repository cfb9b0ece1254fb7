"""The Celery application: queues, and every setting with its reason."""

import socket
import sys

from celery import Celery
from celery.worker import state
from kombu import Queue

from core.settings import Settings
from workers.bootstrap import WorkerResources
from workers.broker import ANSWER_S, celery_settings
from workers.lease import LONGEST_SECONDS
from workers.publisher import CeleryPublisher
from workers.queues import CLASSIFY, INTAKE, RESCORE
from workers.schedule import schedule

KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3} if sys.platform == "linux" else {}


def make_app(settings: Settings) -> Celery:
    """A Celery application on the settings' broker. Making it connects to nothing."""
    app = Celery("walkaround", set_as_current=True, include=["workers.tasks"])
    app.conf.update(
        **celery_settings(settings.broker),
        # Queues separate what must not wait for each other: fresh returns never queue behind a rescore of everything.
        task_queues=[Queue(INTAKE), Queue(CLASSIFY), Queue(RESCORE)],
        task_default_queue=INTAKE,
        task_create_missing_queues=False,
        # A message is only a hint: the row in `work` is the truth. Acknowledging late only spares a wait for the
        # reconciler when a worker dies; a task that fails is acknowledged: the reconciler publishes it again when due.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=True,
        # One message at a time per thread: what a worker prefetched waits for it, and is late if it dies.
        worker_prefetch_multiplier=1,
        # Results are rows; nobody reads Celery's.
        task_ignore_result=True,
        result_backend=None,
        # Nothing but JSON is ever read from the broker: pickles run code.
        accept_content=["json"],
        task_serializer="json",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker that is down for an hour must not end its workers
        # Nor one that answers READONLY, OOM, MISCONF or NOPERM: Celery would end with exit code 0.
        broker_channel_error_retry=True,
        worker_consumer="workers.patience:PatientConsumer",
        broker_transport_options={
            # No lease is kept for longer than half of it: nothing is delivered again while its worker may still write.
            "visibility_timeout": int(2 * LONGEST_SECONDS),
            # What dead workers held comes back within seconds instead of 93 s (measured).
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": ANSWER_S,
            # The loop that waits for messages sends nothing and has no time-out: only the kernel's probes tell it that
            # the other end is gone, and its own default is to begin after two hours.
            "socket_keepalive": True,
            "socket_keepalive_options": KEEPALIVE,
            "global_keyprefix": settings.broker_key_prefix,  # one broker can serve other applications too
        },
        # Ends what runs, takes nothing new; what is still running after this goes back to the queue.
        worker_soft_shutdown_timeout=60.0,
        worker_enable_soft_shutdown_on_idle=False,
        # A set in hand ends in SQL, whether the broker is there or not.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,  # logging is ours: JSON with set and task ids
        worker_redirect_stdouts=False,
        worker_send_task_events=True,
        task_send_sent_event=False,
        timezone="UTC",  # the fleet's time zone is applied by core.nightly, which knows daylight saving
        redbeat_redis_options={"socket_timeout": ANSWER_S},
        redbeat_key_prefix=f"{settings.broker_key_prefix}redbeat:",
        redbeat_lock_timeout=60,  # of two beats one sends; a killed one is replaced within this
    )
    app.conf.update(
        beat_schedule=schedule(settings.reconcile_every),
        beat_scheduler="workers.patience:PatientScheduler",
        beat_max_loop_interval=10,
        walkaround_resources=WorkerResources(settings, CeleryPublisher(app, settings)),
    )
    return app


def resources(app: Celery) -> WorkerResources:
    """What the process of this application holds."""
    held = app.conf["walkaround_resources"]
    assert isinstance(held, WorkerResources)
    return held


def end_worker() -> None:
    """Have the Celery worker of this process finish what it has in hand, take nothing new, and return."""
    setattr(state, "should_stop", 0)  # noqa: B010  celery-types knows it as None only
