"""`walkaround`: the command line. Each command lives in a module of `cli`; errors end here, in one sentence."""

import sys
import traceback
from typing import Annotated

import typer

from cli.lazy import lazy_typer
from core.errors import SettingsInvalid, WalkaroundError
from workers.logs import configure_logging

ABOUT = "Photos of returned rental cars in, one verdict per return out."

app = lazy_typer(
    {
        "scan": "cli.scan:scan",
        "up": "cli.scan:up",
        "report": "cli.report:report",
        "audit": "cli.report:audit",
        "doctor": "cli.doctor:doctor",
        "worker": "cli.run:worker",
        "beat": "cli.run:beat",
        "consume": "cli.consume:consume",
        "webhook": "cli.webhook:webhook",
        "ingest": "cli.ingest:ingest",
        "replay": "cli.replay:replay",
    },
    name="walkaround",
    help=ABOUT,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
database_app = lazy_typer({"upgrade": "cli.database:upgrade"}, help="The database's schema.")
model_app = lazy_typer(
    {
        "info": "cli.model.card:info",
        "verify": "cli.model.card:verify",
        "list": "cli.model.registry:list_models",
        "publish": "cli.model.registry:publish",
        "promote": "cli.model.registry:promote",
        "rollback": "cli.model.registry:rollback",
        "data": "cli.model.training:data",
        "train": "cli.model.training:train",
        "train-outlines": "cli.model.train_outlines:train_outlines",
        "outlines": "cli.model.outlines:outlines",
        "evaluate": "cli.model.training:evaluate",
        "versions": "cli.model.versions:versions",
        "shadow": "cli.model.versions:shadow",
        "compare": "cli.model.versions:compare",
        "activate": "cli.model.versions:activate",
        "policy": "cli.model.policy:policy",
        "fit": "cli.model.policy:fit",
        "quantise": "cli.model.quantise:quantise",
    },
    help="Models: what they are, and which one is promoted.",
)
review_app = lazy_typer(
    {
        "add": "cli.review:add",
        "import": "cli.review:import_lines",
        "restore": "cli.review:restore",
        "export": "cli.review:export_lines",
    },
    help="Reviews: what people decided of returns, in and out.",
)
app.add_typer(database_app, name="db")
app.add_typer(model_app, name="model")
app.add_typer(review_app, name="review")

INTERRUPTED = 130
_verbose = False


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the stack trace of an error.")] = False,
) -> None:
    """Photos of returned rental cars in, one verdict per return out."""
    global _verbose  # noqa: PLW0603  typer hands options to commands, not to whoever called the application
    _verbose = verbose
    configure_logging("console", "WARNING")  # to stderr: what a program reads on stdout stays clean


def main() -> None:
    """Run the command line; an error of ours is one sentence on stderr and exit code 1, a wrong setting 2."""
    try:
        app()
    except WalkaroundError as error:
        _complain(str(error))
        sys.exit(2 if isinstance(error, SettingsInvalid) else 1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's own answer to Ctrl-C, which says nothing
            _complain("stopped; nothing is left running, and the next run goes on from here")
        raise
    except Exception as error:
        _complain(f"unexpected error: {type(error).__name__}: {error} (this is a bug; --verbose shows where)")
        sys.exit(1)


def _complain(sentence: str) -> None:
    if _verbose:
        traceback.print_exc()
    typer.secho(f"walkaround: {sentence}", err=True, fg=typer.colors.RED)


if __name__ == "__main__":
    main()
