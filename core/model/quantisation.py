"""The backbone in int8, beside an artefact: made from photos by NNCF, bound to its weights by a card of its own.

int8.xml, int8.bin      the graph, as OpenVINO writes it, and its constants
int8.json               what it was made from, and the sha256 of both
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from core.domain import Pixels
from core.errors import ModelUnusable
from core.model.artefact import Artefact, file_sha256, verified_bytes
from core.model.folding import read_network
from core.model.openvino_graph import build_graph, import_openvino

if TYPE_CHECKING:
    import openvino

GRAPH_FILE, CONSTANTS_FILE, QUANTISED_CARD_FILE = "int8.xml", "int8.bin", "int8.json"
QUANTISED_FILES = (GRAPH_FILE, CONSTANTS_FILE, QUANTISED_CARD_FILE)  # the card last, which makes the others count
Item = TypeVar("Item")
_Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class QuantisedCard(BaseModel):
    """int8.json. `views` counts what the ranges of the activations were taken from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=1, ge=1, le=1)
    created_at: AwareDatetime
    weights_sha256: str = _Sha256
    graph_sha256: str = _Sha256
    constants_sha256: str = _Sha256
    views: int = Field(gt=0)
    made_by: str


def quantise(artefact: Artefact, views: Iterable[Pixels], now: datetime) -> QuantisedCard:
    """Calibrate on `views`, each uint8 RGB (size, size, 3), and write graph and card into the artefact's folder.

    What was there before is replaced. Raises `ModelUnusable`, also where NNCF is not installed.
    """
    openvino, nncf = import_openvino(), _import_nncf()
    size = artefact.card.input.size
    network = read_network(verified_bytes(artefact), str(artefact.weights_path))
    samples = [view[None] for view in views]
    if not samples:
        raise ModelUnusable("there is no photo to calibrate int8 on; name some hundred of the kind the model will see")
    graph = nncf.quantize(
        build_graph(network, size),
        nncf.Dataset(samples),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(samples),
    )
    temporary = Path(tempfile.mkdtemp(prefix=".int8-", dir=artefact.folder))
    try:
        openvino.save_model(graph, temporary / GRAPH_FILE, compress_to_fp16=False)
        card = QuantisedCard(
            created_at=now,
            weights_sha256=artefact.card.weights_sha256,
            graph_sha256=file_sha256(temporary / GRAPH_FILE),
            constants_sha256=file_sha256(temporary / CONSTANTS_FILE),
            views=len(samples),
            made_by=f"nncf {nncf.__version__}, openvino {openvino.__version__}",
        )
        (temporary / QUANTISED_CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for file in QUANTISED_FILES:
            (temporary / file).replace(artefact.folder / file)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return card


def choose_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, spread evenly over their order."""
    return [items[index] for index in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]


def read_quantised_card(artefact: Artefact) -> QuantisedCard:
    """The card of the artefact's int8 graph. Raises `ModelUnusable`, also where it is that of other weights."""
    path = artefact.folder / QUANTISED_CARD_FILE
    try:
        card = QuantisedCard.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelUnusable(
            f"{artefact.folder} holds no int8 graph; make it with `walkaround model quantise PHOTOS`, or choose "
            "another WALKAROUND_PRECISION"
        ) from error
    except (OSError, ValidationError) as error:
        raise ModelUnusable(
            f"{path} is not a readable card ({error}); run `walkaround model quantise` again"
        ) from error
    if card.weights_sha256 != artefact.card.weights_sha256:
        raise ModelUnusable(f"{path} was made from other weights than {artefact.weights_path}; quantise these again")
    return card


def verified_graph(artefact: Artefact) -> tuple[bytes, bytes]:
    """The int8 graph and its constants, checked against their card. Raises `ModelUnusable`."""
    card = read_quantised_card(artefact)
    return (
        _verified(artefact.folder / GRAPH_FILE, card.graph_sha256),
        _verified(artefact.folder / CONSTANTS_FILE, card.constants_sha256),
    )


def read_quantised_graph(artefact: Artefact) -> "openvino.Model":
    """The int8 graph, from bytes that match its card. Raises `ModelUnusable`."""
    graph, constants = verified_graph(artefact)
    openvino = import_openvino()
    try:
        return openvino.Core().read_model(graph, constants)
    except RuntimeError as error:
        raise ModelUnusable(
            f"OpenVINO cannot read {artefact.folder / GRAPH_FILE}: {error!s:.300}; quantise again with this version"
        ) from error


def _verified(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelUnusable(f"{path} cannot be read ({error.strerror}); fetch the artefact again") from error
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelUnusable(
            f"{path} does not match int8.json: its sha256 is {found}, the card says {sha256}; "
            "the file was changed or cut short: fetch the artefact again"
        )
    return data


def _import_nncf() -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # its documented switch: it would tell Google Analytics of each use
    try:
        import nncf
    except ImportError as error:
        raise ModelUnusable(
            f"quantising needs NNCF, which is not installed here ({error}): pip install 'walkaround[quantise]'"
        ) from error
    return nncf
