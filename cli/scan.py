"""`walkaround scan` and `walkaround up`: the whole system on one machine, nothing to install beside it."""

from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.embedded import run_and_stay, run_until_done
from cli.report import audit_and_show, show_report
from core.errors import SettingsInvalid, StoreRefused
from core.keys import guess_layout
from core.settings import Settings, load_settings
from workers.bootstrap import make_store

SAMPLE = 200  # keys looked at to guess how a folder is laid out

Out = Annotated[Path, typer.Option("--out", "-o", help="Where the database, the report and the log go.")]
Model = Annotated[str | None, typer.Option(help="Another model than the one shipped: a folder or registry.")]
Template = Annotated[str | None, typer.Option(help="How folders are named; guessed where not given.")]


def scan(
    path: Annotated[str, typer.Argument(help="A folder of returns, or s3://bucket.")],
    out: Out = Path("walkaround-out"),
    model: Model = None,
    key_template: Template = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON and nothing else.")] = False,
    html: Annotated[bool, typer.Option(help="Write the HTML report.")] = True,
) -> None:
    """Classify every return under PATH, print the verdicts, write a report, and account for every photo.

    Starts its own broker and worker and stops them again. Run it again: nothing is done twice.

    Examples: `walkaround scan photos/` · `walkaround scan s3://bucket --json`
    """
    console = Console(stderr=as_json)
    settings = embedded_settings(path, out, model, key_template)
    context, scanned = run_until_done(settings, out, console)
    if scanned.objects == 0:
        raise StoreRefused(f"there are no photos under {path}: a return is a folder of them, as {path}/VEHICLE/01.jpg")
    show_report(context, console, as_json=as_json, html=out / "report.html" if html else None)
    if not audit_and_show(context, console):
        raise typer.Exit(1)


def up(
    path: Annotated[str, typer.Argument(help="A folder of returns, or s3://bucket, to watch.")],
    out: Out = Path("walkaround-out"),
    model: Model = None,
    key_template: Template = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks at the store.")] = 30,
    quiet_period: Annotated[float, typer.Option(min=0, help="Seconds without change that close a return.")] = 60,
) -> None:
    """Run the whole system on this machine and stay: new photos are classified as they come. Ctrl-C ends it.

    With WALKAROUND_SQS_QUEUE_URL set it reads that queue too.

    Example: `walkaround up photos/`
    """
    settings = embedded_settings(path, out, model, key_template, quiet_period=timedelta(seconds=quiet_period))
    run_and_stay(settings, out, Console(), every)


def embedded_settings(path: str, out: Path, model: str | None, key_template: str | None, **changes: Any) -> Settings:
    """Settings of an embedded run. A return is complete with the photos that are there. Raises `SettingsInvalid`."""
    if not path.startswith("s3://"):
        folder = Path(path).expanduser().resolve()
        if out.resolve().is_relative_to(folder):
            raise SettingsInvalid(f"--out {out} lies inside {path}, and would be scanned too; choose another folder")
        path = str(folder)
    values: dict[str, Any] = {
        "store": path,
        "database_url": f"sqlite:///{(out / 'walkaround.sqlite').resolve()}",
        "quiet_period": timedelta(0),
        "deadline": timedelta(0),
        "republish_after": timedelta(seconds=15),  # our own broker: publishing twice costs little
        "log_format": "console",
        **({"model": model} if model else {}),
        **changes,
    }
    if key_template:
        values["key_template"] = key_template
    settings = load_settings(**values)
    if "reviews" not in settings.model_fields_set:  # nothing is written beside somebody's photos
        settings = settings.model_copy(update={"reviews": str(out.resolve())})
    if "key_template" not in settings.model_fields_set:
        settings = settings.model_copy(update={"key_template": _guessed_template(settings)})
    _make_folder(out)  # last: a wrong PATH leaves nothing behind
    return settings


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsInvalid(f"--out {out} cannot be made: {error.strerror}; choose another folder") from error


def _guessed_template(settings: Settings) -> str:
    store = make_store(settings)
    keys = [entry.key for entry in islice(store.list(""), SAMPLE)]
    return guess_layout(keys).template
