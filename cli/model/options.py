"""Arguments and options that several `walkaround model` commands take."""

from pathlib import Path
from typing import Annotated

import typer

from core.model.artefact import Artefact
from core.model.registry import open_model
from core.settings import load_settings
from workers.bootstrap import s3_options

ModelAddress = Annotated[
    str | None, typer.Argument(help="A model's folder, or a registry (its promoted model); WALKAROUND_MODEL if absent.")
]
Manifest = Annotated[Path, typer.Option("--manifest", help="A CSV manifest, or a folder with damaged/ and intact/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def open_addressed(address: str | None) -> Artefact:
    """The model at the address, or the one of WALKAROUND_MODEL. Raises `ModelUnusable`."""
    settings = load_settings()
    return open_model(address or settings.model, s3_options(settings), settings.model_cache)
