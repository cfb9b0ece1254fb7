"""`walkaround model list | publish | promote | rollback`: a registry's models, and which one is promoted."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from cli.model.options import AsJson
from cli.model.terminal import confirm
from core.model.artefact import open_artefact
from core.model.promotions import Promotion
from core.model.registry import Registry, open_registry
from core.settings import load_settings
from db import queries, transactions
from workers.app import make_app, resources
from workers.backlog import request_rescoring
from workers.bootstrap import activate_configured_model, s3_options
from workers.context import Context

RegistryAddress = Annotated[str, typer.Argument(help="The registry: a folder, or s3://bucket/prefix.")]
Who = Annotated[str | None, typer.Option(help="Who decides this; by default the user's name.")]


def list_models(registry: RegistryAddress, as_json: AsJson = False) -> None:
    """List a registry's models, and which one is promoted.

    Example: `walkaround model list s3://fleet-models/registry`
    """
    opened = _registry(registry)
    promoted = opened.promoted()
    entries = sorted(opened.entries(), key=lambda entry: entry.card.created_at, reverse=True)
    if as_json:
        rows = [
            {
                "reference": entry.reference,
                "name": entry.card.name,
                "card_sha256": entry.card_sha256,
                "created_at": entry.card.created_at.isoformat(),
                "promoted": entry == promoted,
            }
            for entry in entries
        ]
        typer.echo(json.dumps({"models": rows, "history": [_as_dict(line) for line in opened.history()]}))
        return
    table = Table("", "model", "made", "recall", title=registry)
    for entry in entries:
        recalls = ", ".join(
            f"{name} {metrics.measures['recall'].value:.3f}"
            for name, metrics in entry.card.metrics.items()
            if "recall" in metrics.measures
        )
        mark = "[green]promoted[/]" if entry == promoted else ""
        table.add_row(mark, entry.reference, f"{entry.card.created_at:%Y-%m-%d %H:%M}", recalls or "–")
    Console().print(table)


def publish(
    model: Annotated[Path, typer.Argument(help="The model's folder.")],
    registry: RegistryAddress,
    as_json: AsJson = False,
) -> None:
    """Copy a verified model into a registry. Publishing it again changes nothing.

    Example: `walkaround model publish build/model s3://fleet-models/registry`
    """
    artefact = open_artefact(model)
    if "://" not in registry:
        Path(registry).expanduser().mkdir(parents=True, exist_ok=True)
    entry = _registry(registry).publish(artefact)
    if as_json:
        typer.echo(json.dumps({"reference": entry.reference, "card_sha256": entry.card_sha256}))
    else:
        confirm(f"published {entry.reference}; workers run it once it is promoted")


def promote(
    model: Annotated[str, typer.Argument(help="Which: its name, name@sha256 or sha256; a start of the hash will do.")],
    registry: RegistryAddress,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Even where it finds less damage; needs a reason.")] = False,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Make a model the one that workers run. Refused where it finds less damage than the promoted one on any named set.

    Where WALKAROUND_MODEL is this registry, this deployment's verdicts are given by it from then on.

    Examples: `walkaround model promote resnet50-2026-03 s3://fleet-models/registry` ·
    `walkaround model promote 4f1c9a ./registry --force --reason "the other one fails on night photos"`
    """
    context = _deployed_from(registry)
    done = _registry(registry).promote(
        model, who=who or getpass.getuser(), reason=reason, now=datetime.now(UTC), force=force
    )
    _show(done, as_json)
    _put_to_work(context, as_json)


def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    registry: Annotated[str | None, typer.Argument(help="The registry; without one, this database goes back.")] = None,
    who: Who = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the model that was promoted before. Verdicts of either stay as they are.

    Examples: `walkaround model rollback s3://fleet-models/registry --reason "false alarms on wet paint"` ·
    `walkaround model rollback --reason "the policy was too strict"`
    """
    if registry is None:
        _roll_back_database(reason, as_json)
        return
    context = _deployed_from(registry)
    _show(_registry(registry).rollback(who=who or getpass.getuser(), reason=reason, now=datetime.now(UTC)), as_json)
    _put_to_work(context, as_json)


def _deployed_from(registry: str) -> Context | None:
    """What this deployment holds, where it runs its model from `registry`: its database then follows the registry.

    Connected to before the registry changes, so that one that is away changes neither.
    """
    settings = load_settings()
    same = settings.model.rstrip("/") == registry.rstrip("/")
    return resources(make_app(settings)).context if same else None


def _put_to_work(context: Context | None, as_json: bool) -> None:
    """Have the registry's promoted model give this deployment's verdicts."""
    if context is None:
        return
    activate_configured_model(context.settings, context.sessions)
    opened = request_rescoring(context)
    if not as_json:
        confirm(f"verdicts are given by it from now on; {opened} returns will be scored again by workers started now")


def _roll_back_database(reason: str, as_json: bool) -> None:
    context = resources(make_app(load_settings())).context
    model_id = transactions.reactivate_previous(context.sessions)
    name = next(row.reference for row in queries.model_versions(context.sessions) if row.id == model_id)
    structlog.get_logger(__name__).warning("model_rolled_back", version=name, reason=reason)
    opened = request_rescoring(context)
    if as_json:
        typer.echo(json.dumps({"version": model_id, "reopened": opened, "reason": reason}))
    else:
        confirm(f"version {name} is the active model again; {opened} returns will be scored by it")


def _registry(address: str) -> Registry:
    return open_registry(address, s3_options(load_settings()))


def _show(done: Promotion, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_dict(done)))
        return
    confirm(f"promoted is now {done.name}@{done.card_sha256[:12]}{' (forced)' if done.forced else ''}")


def _as_dict(promotion: Promotion) -> dict[str, Any]:
    return promotion.model_dump(mode="json")
