"""A graph beside an artefact where int8 is looked for, made without photos and without NNCF: float32 in fact."""

from datetime import UTC, datetime

import openvino

from core.model.artefact import Artefact, file_sha256, verified_bytes
from core.model.folding import read_network
from core.model.openvino_graph import build_graph
from core.model.quantised import CONSTANTS_FILE, GRAPH_FILE, QUANTISED_CARD_FILE, QuantisedCard


def write_as_quantised(artefact: Artefact) -> None:
    """Write int8.xml, int8.bin and int8.json into the artefact's folder."""
    network = read_network(verified_bytes(artefact), str(artefact.folder))
    graph = build_graph(network, artefact.card.input.size)
    openvino.save_model(graph, artefact.folder / GRAPH_FILE, compress_to_fp16=False)
    card = QuantisedCard(
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        weights_sha256=artefact.card.weights_sha256,
        graph_sha256=file_sha256(artefact.folder / GRAPH_FILE),
        constants_sha256=file_sha256(artefact.folder / CONSTANTS_FILE),
        views=1,
        made_by="tests",
    )
    (artefact.folder / QUANTISED_CARD_FILE).write_text(card.model_dump_json(indent=2))
