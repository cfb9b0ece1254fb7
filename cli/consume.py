"""`walkaround consume`: S3 events from an SQS queue."""

import signal
from threading import Event

from cli.service import serve_telemetry, start, wait_for
from workers.app import make_app, resources
from workers.consumer import make_consumer
from workers.health import Progress


def consume() -> None:
    """Read S3 events from the SQS queue of WALKAROUND_SQS_QUEUE_URL and ingest the returns that they name.

    Example: `walkaround consume`
    """
    settings = start()
    progress = Progress()
    serve_telemetry(settings, progress)
    app = make_app(settings)
    consumer = make_consumer(settings, wait_for(lambda: resources(app).context), progress)
    stop = Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: stop.set())
    consumer.run(stop)
