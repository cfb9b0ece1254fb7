"""Makes the int8 backbone of an artefact from photos, by NNCF. `core.model.quantised` reads it."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from core.domain import Pixels
from core.errors import ModelUnusable
from core.model.artefact import Artefact, file_sha256, verified_bytes
from core.model.folding import read_network
from core.model.openvino_graph import build_graph, import_openvino
from core.model.quantised import CONSTANTS_FILE, GRAPH_FILE, QUANTISED_CARD_FILE, QUANTISED_FILES, QuantisedCard

Item = TypeVar("Item")


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


def _import_nncf() -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # its documented switch: it would tell Google Analytics of each use
    try:
        import nncf
    except ImportError as error:
        raise ModelUnusable(
            f"quantising needs NNCF, which is not installed here ({error}): pip install 'walkaround[quantise]'"
        ) from error
    return nncf
