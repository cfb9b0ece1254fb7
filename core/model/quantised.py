"""The backbone in int8, beside an artefact: made from photos by NNCF, bound to its weights by a card of its own.

int8.xml, int8.bin      the graph, as OpenVINO writes it, and its constants
int8.json               what it was made from, and the sha256 of both
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from core.errors import ModelUnusable
from core.model.artefact import Artefact
from core.model.openvino_graph import import_openvino

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
    if (actual := hashlib.sha256(data).hexdigest()) != sha256:
        raise ModelUnusable(
            f"{path} does not match int8.json: its sha256 is {actual}, the card says {sha256}; "
            "the file was changed or cut short: fetch the artefact again"
        )
    return data
