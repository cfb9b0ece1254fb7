"""`walkaround model`: what a model is, whether it is whole, and which one of a registry is promoted."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.model.tables import card_table, metrics_table, training_table
from core.settings import load_settings

if TYPE_CHECKING:
    from core.model.artefact import Artefact
    from core.model.registry import Promotion, Registry
    from workers.context import Context

model_app = typer.Typer(help="Models: what they are, and which one is promoted.", no_args_is_help=True)

ModelAddress = Annotated[
    str | None, typer.Argument(help="A model's folder, or a registry (its promoted model); WALKAROUND_MODEL if absent.")
]
RegistryAddress = Annotated[str, typer.Argument(help="The registry: a folder, or s3://bucket/prefix.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Who = Annotated[str | None, typer.Option(help="Who decides this; by default the user's name.")]


@model_app.command()
def info(model: ModelAddress = None, as_json: AsJson = False) -> None:
    """Show a model's card: what it is, what it was trained on, how good it is.

    Examples: `walkaround model info` · `walkaround model info s3://fleet-models/registry --json`
    """
    card = _open(model).card
    if as_json:
        typer.echo(card.to_json(), nl=False)
        return
    console = Console()
    console.print(card_table(card))
    if card.training:
        console.print(training_table(card))
    if card.metrics:
        console.print(metrics_table(card))


@model_app.command()
def verify(
    model: ModelAddress = None,
    run: Annotated[
        bool, typer.Option("--run", help="Also load it and score a photo of noise (takes seconds).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a model's files against its card, and with --run that it computes. Exit code 1 where it does not.

    Examples: `walkaround model verify models/walkaround-resnet50` · `walkaround model verify --run`
    """
    artefact = _open(model)
    result: dict[str, Any] = {
        "name": artefact.card.name,
        "folder": str(artefact.folder),
        "weights_sha256": artefact.card.weights_sha256,
        "parameters": artefact.card.parameters,
    }
    if run:
        result["noise_probability"] = _score_noise(artefact)
    if as_json:
        typer.echo(json.dumps(result))
        return
    _say(f"{artefact.card.name} in {artefact.folder} matches its card")
    if run:
        _say(f"it computes, and its heat map adds up (noise scores {result['noise_probability']:.3f})")


@model_app.command("list")
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


@model_app.command()
def publish(
    model: Annotated[Path, typer.Argument(help="The model's folder.")],
    registry: RegistryAddress,
    as_json: AsJson = False,
) -> None:
    """Copy a verified model into a registry. Publishing it again changes nothing.

    Example: `walkaround model publish build/model s3://fleet-models/registry`
    """
    from core.model.artefact import open_artefact

    artefact = open_artefact(model)
    if "://" not in registry:
        Path(registry).expanduser().mkdir(parents=True, exist_ok=True)
    entry = _registry(registry).publish(artefact)
    if as_json:
        typer.echo(json.dumps({"reference": entry.reference, "card_sha256": entry.card_sha256}))
    else:
        _say(f"published {entry.reference}; workers run it once it is promoted")


@model_app.command()
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


@model_app.command()
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


def _deployed_from(registry: str) -> "Context | None":
    """What this deployment holds, where it runs its model from `registry`: its database then follows the registry.

    Connected to before the registry changes, so that one that is away changes neither.
    """
    from workers.app import make_app, resources

    settings = load_settings()
    same = settings.model.rstrip("/") == registry.rstrip("/")
    return resources(make_app(settings)).context if same else None


def _put_to_work(context: "Context | None", as_json: bool) -> None:
    """Have the registry's promoted model give this deployment's verdicts."""
    from workers.bootstrap import activate_configured_model
    from workers.pipeline import request_rescoring

    if context is None:
        return
    activate_configured_model(context.settings, context.sessions)
    opened = request_rescoring(context)
    if not as_json:
        _say(f"verdicts are given by it from now on; {opened} returns will be scored again by workers started now")


def _roll_back_database(reason: str, as_json: bool) -> None:
    import structlog

    from db import queries, transactions
    from workers.app import make_app, resources
    from workers.pipeline import request_rescoring

    context = resources(make_app(load_settings())).context
    model_id = transactions.reactivate_previous(context.sessions)
    name = next(row.reference for row in queries.model_versions(context.sessions) if row.id == model_id)
    structlog.get_logger(__name__).warning("model_rolled_back", version=name, reason=reason)
    opened = request_rescoring(context)
    if as_json:
        typer.echo(json.dumps({"version": model_id, "reopened": opened, "reason": reason}))
    else:
        _say(f"version {name} is the active model again; {opened} returns will be scored by it")


def _open(address: str | None) -> "Artefact":
    from core.model.registry import open_model
    from workers.bootstrap import s3_options

    settings = load_settings()
    return open_model(address or settings.model, s3_options(settings), settings.model_cache)


def _registry(address: str) -> "Registry":
    from core.model.registry import open_registry
    from workers.bootstrap import s3_options

    return open_registry(address, s3_options(load_settings()))


def _score_noise(artefact: "Artefact") -> float:
    """The probability of damage that the model gives to seeded noise."""
    import numpy as np

    from core.model.inference import BatchingClassifier

    settings = load_settings()
    classifier = BatchingClassifier(artefact, precision=settings.precision, runtime=settings.runtime)
    plan = classifier.plan
    noise = np.random.default_rng(0).integers(0, 256, (plan.count, plan.size, plan.size, 3), dtype=np.uint8)
    try:
        return classifier.classify([noise])[0].probability
    finally:
        classifier.close()


def _show(done: "Promotion", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_dict(done)))
        return
    _say(f"promoted is now {done.name}@{done.card_sha256[:12]}{' (forced)' if done.forced else ''}")


def _say(sentence: str) -> None:
    Console().print(f"[green]✓[/] {escape(sentence)}", soft_wrap=True, highlight=False)


def _as_dict(promotion: "Promotion") -> dict[str, Any]:
    return promotion.model_dump(mode="json")
