"""`walkaround model versions | shadow | compare | activate`: what a database's verdicts are given by, and could be."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.model.options import AsJson
from core.domain import ModelIdentity
from core.errors import ModelUnusable
from core.model.precision import identity_in
from core.model.registry import open_model
from core.policy import Policy, read_policy
from core.settings import Settings, load_settings
from db import queries, transactions
from db.queries import VersionRow
from reports.comparison import ComparisonReport, comparison_json, write_comparison
from reports.pictures import open_thumbnailer
from workers.app import make_app, resources
from workers.backlog import open_shadow, request_rescoring
from workers.bootstrap import activate_configured_model, s3_options
from workers.context import Context

Version = Annotated[
    str, typer.Argument(help="A version's number or name, or `active`; see `walkaround model versions`.")
]


def versions(as_json: AsJson = False) -> None:
    """List the model versions this database knows: weights, preprocessing and policy together make one.

    Example: `walkaround model versions`
    """
    rows = queries.model_versions(_context(load_settings()).sessions)
    if as_json:
        typer.echo(json.dumps([_as_dict(row) for row in rows], indent=2))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("", "model", "state", "weights", "policy", "verdicts", "waiting", "active since"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        since = f"{row.activated_at:%Y-%m-%d %H:%M}" if row.activated_at else "–"
        hashes = (row.identity.weights_sha256[:8], row.policy.sha256[:8])
        state = f"[green]{row.state.value}[/]" if row.state == "active" else row.state.value
        table.add_row(str(row.id), row.identity.name, state, *hashes, f"{row.verdicts:,}", f"{row.waiting:,}", since)
    Console().print(table)


def shadow(
    model: Annotated[str, typer.Argument(help="A model's folder or registry, or a version's number or name.")],
    policy: Annotated[Path | None, typer.Option(help="Another policy over that model: a JSON document.")] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Only this share of the returns, always the same.")] = 1.0,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what changed since.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop shadow scoring; existing verdicts are kept.")] = False,
) -> None:
    """Have a candidate score returns beside the active model; what people see stays as it is.

    Run it again for the returns that came since. Workers started with that model (WALKAROUND_MODEL) and `--queues
    rescore` do it, while the active model's listen to `--queues classify` alone: each drops what is meant for the
    other. A candidate of the active model's weights, with another policy, needs no worker of its own and no photo.

    Examples: `walkaround model shadow build/model-2 --share 0.1` ·
    `walkaround model shadow active --policy strict.json`
    """
    settings = load_settings()
    context = _context(settings)
    identity, own_policy = _made_of(settings, context, model)
    candidate_policy = read_policy(policy) if policy else own_policy
    if stop:
        _stop(context, identity, candidate_policy, f"{model} with {policy}" if policy else model)
        return
    candidate = transactions.begin_shadow(context.sessions, identity, candidate_policy)
    from_day = since.replace(tzinfo=settings.zone) if since else None
    opened = open_shadow(context, candidate, from_day, share)
    typer.echo(f"version {candidate} ({identity.name}) will score {opened} returns beside the active model")
    typer.echo(f"see what would change: walkaround model compare active {candidate} --html compare.html")


def compare(
    first: Version,
    second: Version,
    html: Annotated[Path | None, typer.Option(help="Write the comparison with pictures to this file.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show which returns would get another verdict, set by set.

    Examples: `walkaround model compare active 2` · `walkaround model compare active 2 --html compare.html`
    """
    context = _context(load_settings())
    one, other = (queries.find_version(context.sessions, reference) for reference in (first, second))
    if one.id == other.id:
        raise ModelUnusable(f"{first} and {second} are the same version; name two")
    bucket = context.store.name
    counts = queries.compare_models(context.sessions, bucket, one.id, other.id, fleet)
    changed = queries.changed_verdicts(context.sessions, bucket, one.id, other.id, fleet)
    report = ComparisonReport(bucket, datetime.now(UTC), one, other, counts, changed)
    if as_json:
        typer.echo(comparison_json(report))
    else:
        _show(report)
    if html is not None:
        _write(context, report, html)
        typer.echo(f"Comparison with pictures: {html}", err=as_json)


def activate(
    version: Annotated[
        str | None, typer.Argument(help="A version of this database; absent, WALKAROUND_MODEL's.")
    ] = None,
) -> None:
    """Have verdicts given by another model version from now on, and score again what others scored.

    Older verdicts stay as they are; `walkaround model rollback` goes back. Workers that hold other weights leave the
    work to those that hold this version's.

    Examples: `walkaround model activate 2` · `WALKAROUND_MODEL=build/model-2 walkaround model activate`
    """
    settings = load_settings()
    context = _context(settings)
    if version is None:
        activate_configured_model(settings, context.sessions)
        name = settings.model
    else:
        found = queries.find_version(context.sessions, version)
        transactions.activate_model(context.sessions, found.id)
        name = f"version {found.reference}"
    typer.echo(rescoring_opened(context, name))


def rescoring_opened(context: Context, name: str) -> str:
    """Ask the active model for the sets it has not judged; what was done, in words."""
    opened = request_rescoring(context)
    return f"{name} is the active model; {opened} returns will be scored again"


def _made_of(settings: Settings, context: Context, model: str) -> tuple[ModelIdentity, Policy]:
    """The identity and policy of a version of the database, or of an artefact."""
    if "/" not in model and not Path(model).exists():
        found = queries.find_version(context.sessions, model)
        return found.identity, found.policy
    artefact = open_model(model, s3_options(settings), settings.model_cache)
    return identity_in(artefact, settings.precision), artefact.card.policy


def _stop(context: Context, identity: ModelIdentity, policy: Policy, name: str) -> None:
    versions = queries.model_versions(context.sessions)
    version = next((row for row in versions if row.identity == identity and row.policy == policy), None)
    if version is None:
        raise ModelUnusable(f"{name} is no model version of this database; `walkaround model versions` lists them")
    transactions.end_shadow(context.sessions, version.id)
    typer.echo(f"shadow scoring by version {version.reference} has stopped; its verdicts are kept")


def _show(report: ComparisonReport) -> None:
    counts = report.counts
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("return", overflow="fold")
    for heading in (*(f"{row.id} ({row.state.value})" for row in (report.first, report.second)), "a person said"):
        table.add_column(heading, no_wrap=True)
    for found in report.changed:
        said = found.reviewed.value if found.reviewed else ""
        before, after = (
            f"{label.value} {'' if score is None else f'{score:.2f}'}"
            for label, score in ((found.first, found.first_score), (found.second, found.second_score))
        )
        table.add_row(Text(found.set_key), before, after, said)
    console = Console()
    if report.changed:
        console.print(table)
    console.print(
        f"{counts.changed} of {counts.sets} returns that both judged would get another verdict; "
        f"{counts.only_first} were judged by the first alone, {counts.only_second} by the second"
    )
    if counts.reviewed:
        console.print(
            f"people decided {counts.reviewed} of them: the first said the same of {counts.first_right}, "
            f"the second of {counts.second_right}"
        )


def _write(context: Context, report: ComparisonReport, html: Path) -> None:
    with open_thumbnailer(context.store, context.settings) as render:
        write_comparison(html, report, partial(queries.photos_of, context.sessions), render)


def _as_dict(row: VersionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.identity.name,
        "state": row.state.value,
        "weights_sha256": row.identity.weights_sha256,
        "preprocess_sha256": row.identity.preprocess_sha256,
        "policy_sha256": row.policy.sha256,
        "created_at": row.created_at.isoformat(),
        "activated_at": row.activated_at.isoformat() if row.activated_at else None,
        "verdicts": row.verdicts,
        "waiting": row.waiting,
    }


def _context(settings: Settings) -> Context:
    return resources(make_app(settings)).context
