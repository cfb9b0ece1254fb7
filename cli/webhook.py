"""`walkaround webhook`: S3 events that a server posts."""

from functools import partial
from typing import Annotated

import typer

from cli.service import serve_telemetry, start, wait_for
from core.errors import SettingsInvalid
from core.events import changed_sets
from web.webhook import make_webhook, serve
from workers import pipeline
from workers.app import make_app, resources
from workers.health import Progress
from workers.metrics import EVENT_MESSAGES


def webhook(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8080,
) -> None:
    """Receive events that an S3-compatible server posts, with the bearer token of WALKAROUND_WEBHOOK_TOKEN.

    Example: `walkaround webhook --host 0.0.0.0 --port 8080`
    """
    settings = start()
    if settings.webhook_token is None:
        raise SettingsInvalid("WALKAROUND_WEBHOOK_TOKEN is missing; it is the bearer token that events are posted with")
    celery = make_app(settings)
    context = wait_for(lambda: resources(celery).context)
    app = make_webhook(
        settings.webhook_token.get_secret_value(),
        sets_of=partial(changed_sets, store=context.store.name, layout=context.layout),
        ingest=partial(pipeline.ingest, context),
        count=lambda outcome: EVENT_MESSAGES.labels(source="webhook", outcome=outcome).inc(),
    )
    serve_telemetry(settings, Progress(due=lambda: False))  # its own /healthz says whether it answers
    serve(app, host, port)
