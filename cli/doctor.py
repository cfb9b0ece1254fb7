"""`walkaround doctor`: each thing wrong with this deployment, in words, with its fix."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.doctor_broker import check_broker, check_schedule, check_workers
from cli.finding import Finding
from core.errors import WalkaroundError
from core.keys import KeyLayout
from core.model.device import find_device
from core.model.openvino_graph import import_openvino
from core.model.precision import identity_in
from core.object_kinds import ObjectKind, kind_of
from core.photos.sandbox.layers import Layer, memory_is_hidden
from core.photos.sandbox.loader import offered_layers
from core.settings import PREFIX, Settings, load_settings
from db.failures import shown
from db.postgresql import max_connections
from db.queries import backlog, serving_models
from db.session import Sessions, check_version, engine_of, make_engine, make_sessions
from db.transactions import recorded_store
from workers.bootstrap import make_artefact, make_store
from workers.consumer import queue_depth

SAMPLE = 1000  # objects looked at to see how the store lists: one request


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    settings_only: Annotated[bool, typer.Option("--settings", help="List every setting and its meaning.")] = False,
) -> None:
    """Check the store, database, broker, model, device, queue, workers and schedule. Exit 1 if anything is wrong.

    Example: `walkaround doctor`
    """
    if settings_only:
        _show_settings()
        return
    findings = examine(load_settings())
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> list[Finding]:
    """Every check, each on its own: one that fails does not hide the others."""
    checks: dict[str, Callable[[Settings], Finding]] = {
        "photo store": _store,
        "database": _database,
        "model": _model,
        "device": _device,
        "decoder": _decoder,
        "broker": check_broker,
        "workers": check_workers,
        "schedule": check_schedule,
        "backlog": _backlog,
        "event queue": _event_queue,
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check(settings))
        except WalkaroundError as error:
            # Our errors end with their remedy.
            findings.append(Finding(name, False, str(error), str(error).rpartition("; ")[2]))
        except Exception as error:  # whatever one part's library throws must not hide what is wrong with the others
            findings.append(Finding(name, False, f"{type(error).__name__}: {error}", f"check its {PREFIX} settings"))
    return findings


def _store(settings: Settings) -> Finding:
    store = make_store(settings)
    layout = KeyLayout(settings.key_template)
    sample = list(islice(store.list(layout.root), SAMPLE))
    first = next((entry for entry in sample if kind_of(entry.key, entry.size) is ObjectKind.CONTENT), None)
    if first is None:
        return Finding("photo store", True, f"{store.name} answers and holds nothing under {layout.root or 'its root'}")
    if layout.parse(first.key) is None:
        return Finding(
            "photo store",
            False,
            f"{first.key} in {store.name} does not fit the key template {settings.key_template}",
            f"set {PREFIX}KEY_TEMPLATE to how the folders are named",
        )
    if not all(before.key.encode() <= entry.key.encode() for before, entry in pairwise(sample)):
        slower = (
            "it lists out of the order of keys, so that every scan lists it folder by folder, with a request for each"
        )
        return Finding("photo store", True, f"{store.name} answers; {slower}")
    return Finding("photo store", True, f"{store.name} answers")


def _database(settings: Settings) -> Finding:
    sessions = _sessions(settings)
    own = recorded_store(sessions)
    if own is not None and settings.store and own != make_store(settings).name:
        return Finding(
            "database",
            False,
            f"it keeps the returns of the store {own}, and {PREFIX}STORE names {make_store(settings).name}",
            f"name that store in {PREFIX}STORE, or this one's own database in {PREFIX}DATABASE_URL",
        )
    engine = engine_of(sessions)
    allowed = max_connections(engine)
    if allowed is not None and settings.database_pool > allowed:
        return Finding(
            "database",
            False,
            f"a worker here may open {settings.database_pool} connections; the server allows {allowed} to all together",
            f"raise max_connections of PostgreSQL, or lower {PREFIX}CONCURRENCY",
        )
    return Finding("database", True, f"{shown(engine.url)} answers, its schema is current")


def _sessions(settings: Settings) -> Sessions:
    """Sessions on a database that is there: SQLite would make an empty one."""
    engine = make_engine(settings.database_url.get_secret_value())
    check_version(engine)
    return make_sessions(engine)


def _model(settings: Settings) -> Finding:
    artefact = make_artefact(settings)
    identity = identity_in(artefact, settings.precision)
    if settings.precision == "int8":
        import_openvino()
    serving = serving_models(_sessions(settings))
    if serving and not any(version.identity.scores_as(identity) for version in serving):
        return Finding(
            "model",
            False,
            f"workers here load {identity.name}, but the active model is {serving[0].identity.name}, another one",
            f"set {PREFIX}MODEL and {PREFIX}PRECISION to the active ones, or have these: walkaround model activate",
        )
    return Finding("model", True, f"{identity.name} matches its card")


def _device(settings: Settings) -> Finding:
    device = find_device(settings.device, settings.precision, None)
    return Finding("device", True, f"a worker here computes scores on {device}")


def _decoder(settings: Settings) -> Finding:
    layers = offered_layers(settings)
    absent = [layer.value for layer in Layer if layer not in layers]
    seen = f"a hostile photo is confined by {', '.join(layer.value for layer in Layer if layer in layers) or 'nothing'}"
    if absent:
        seen += f"; not available on this host: {', '.join(absent)}"
    if Layer.SECCOMP in layers and memory_is_hidden():
        return Finding("decoder", True, seen)
    return Finding("decoder", False, seen, "install libseccomp (Debian: libseccomp2) and run workers on Linux")


def _backlog(settings: Settings) -> Finding:
    waiting = backlog(_sessions(settings))
    if waiting.dead:
        return Finding(
            "backlog",
            False,
            f"{waiting.dead} returns were given up: each attempt to score them failed",
            "mend what `walkaround report` says of them, then: walkaround replay",
        )
    if waiting.oldest is not None and datetime.now(UTC) - waiting.oldest > settings.max_pending_age:
        return Finding(
            "backlog", False, f"work is waiting since {waiting.oldest:%Y-%m-%d %H:%M} UTC", "add classify workers"
        )
    beside = f"; {waiting.shadow} for a candidate, beside them" if waiting.shadow else ""
    return Finding("backlog", True, f"{waiting.pending} returns are waiting, {waiting.leased} are being scored{beside}")


def _event_queue(settings: Settings) -> Finding:
    if not settings.sqs_queue_url:
        return Finding("event queue", True, "none is configured: events come by webhook, or the nightly scan finds all")
    return Finding("event queue", True, f"{queue_depth(settings)} messages are waiting")


def _show(findings: list[Finding]) -> None:
    console = Console()
    for finding in findings:
        mark = "[green]well[/green] " if finding.well else "[red]wrong[/red]"
        console.print(f"{mark} {finding.check}: {escape(finding.seen)}", soft_wrap=True)
        if not finding.well:
            console.print(f"      fix: {escape(finding.fix)}", soft_wrap=True)


def _show_settings() -> None:
    table = Table("Variable", "Default", "Meaning", show_lines=False)
    for name, field in Settings.model_fields.items():
        default = "from this machine" if field.default_factory else "" if field.default is None else str(field.default)
        table.add_row(f"{PREFIX}{name.upper()}", default, field.description)
    Console().print(table)
