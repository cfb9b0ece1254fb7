"""`walkaround model outlines`: the damage on photos, outlined, as a file that annotation tools read."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.model.options import open_addressed
from core.errors import ModelUnusable, PhotoRefused
from core.model.artefact import Artefact
from core.model.coco import OutlinedPhoto, as_coco
from core.model.engine import Engine, load_engine
from core.model.inference import score_photos
from core.model.regions import find_regions
from core.photos.decode import load_photo


def outlines(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, or one photo.")],
    out: Annotated[Path, typer.Option(help="Where the COCO file goes.")],
    model: Annotated[str | None, typer.Option(help="A model's folder or registry; WALKAROUND_MODEL if absent.")] = None,
) -> None:
    """Outline the damage on photos and write it as a COCO file. Aids a reviewer: no cost and no repair follows from it.

    Example: `walkaround model outlines photos/ --out build/outlines.json`
    """
    artefact, console = open_addressed(model), Console(stderr=True)
    if artefact.card.outlines is None:
        raise ModelUnusable(
            f"{artefact.folder} has no branch for outlines; add one with `walkaround model train-outlines`"
        )
    engine = load_engine(artefact)
    root = photos.parent if photos.is_file() else photos
    paths = [photos] if photos.is_file() else sorted(path for path in photos.rglob("*") if path.is_file())
    found = []
    for path in paths:
        try:
            found.append(_outline(engine, artefact, path, path.relative_to(root).as_posix()))
        except PhotoRefused as refusal:
            console.print(f"{path}: {refusal}", markup=False)
    out.write_text(json.dumps(as_coco(found), indent=1), encoding="utf-8")
    console.print(f"{sum(len(photo.regions) for photo in found)} regions on {len(found)} photos: {out}")


def _outline(engine: Engine, artefact: Artefact, path: Path, name: str) -> OutlinedPhoto:
    loaded = load_photo(path.read_bytes(), artefact.card.input.plan)
    (score,) = score_photos(engine, [loaded.views], artefact.card)
    regions = find_regions(score.cells) if score.cells is not None else []
    return OutlinedPhoto(name, loaded.width, loaded.height, regions)
