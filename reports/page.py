"""What all pages share: one self-contained file, written whole or not at all, that runs no script but its own."""

import base64
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from reports.pictures import Picture
from reports.view import PhotoView

_TEMPLATES = Path(__file__).parent / "templates"

RenderThumbnails = Callable[[Sequence[tuple[PhotoView, bool]]], Sequence[Picture | None]]
"""Pictures of photos, each with its heat map where that is wanted; None where there is none to be had."""


@cache
def environment() -> Environment:
    """The templates, with our filters; all values are escaped."""
    made = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    made.filters["thousands"] = "{:,}".format
    return made


def page_parts(*styles: str) -> dict[str, Any]:
    """The styles that a page contains: those of all pages, then `styles`."""
    return {"style": Markup("\n").join(own_text(name) for name in ("report.css", *styles))}


def script_parts(name: str) -> dict[str, Any]:
    """A script that a page carries in itself, and its hash for the page's security policy."""
    text = own_text(name)
    return {"script": text, "script_sha256": base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}


def write_page(path: Path, template: Template, **values: Any) -> None:
    """Fill `template` and write it to `path`, whole or not at all; iterators among the values are read on the way."""
    write_text(path, template.generate(**values))


def write_text(path: Path, pieces: Iterable[str]) -> None:
    """Write `pieces` to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=path.suffix, delete=False) as file:
        unfinished = Path(file.name)
        try:
            for piece in pieces:
                file.write(piece)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
    unfinished.chmod(0o644)
    unfinished.replace(path)


def short_store(store: str) -> str:
    """A bucket as it is; of a folder the end only: a page is passed on, and need not tell where it was made."""
    return store if "://" in store else "/".join(Path(store).parts[-2:]).lstrip("/")


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that a page holds in itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def own_text(name: str) -> Markup:
    """A file of ours beside the templates."""
    return Markup((_TEMPLATES / name).read_text("utf-8"))  # noqa: S704  our own files
