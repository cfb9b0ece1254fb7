"""A model's card as tables for a terminal."""

from rich.markup import escape
from rich.table import Table

from core.model.card import Card


def card_table(card: Card) -> Table:
    """What the model is."""
    table = Table(show_header=False, title=card.name)
    views = "the whole photo" + (f" and {card.input.tiles} x {card.input.tiles} tiles" if card.input.tiles else "")
    rows = {
        "made": f"{card.created_at:%Y-%m-%d %H:%M} UTC, revision {card.git_revision}",
        "parameters": f"{card.parameters:,}",
        "input": f"{views}, {card.input.size} x {card.input.size} pixels" + (", also mirrored" * card.input.flip),
        "outlines": _outlines_row(card),
        "temperature": f"{card.temperature:.3f}",
        "damaged from": f"{card.policy.damaged_at:.3f}",
        "clear below": f"{card.policy.clear_below:.3f}",
        "weights": card.weights_sha256,
        "preprocessing": card.preprocess_sha256,
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _outlines_row(card: Card) -> str:
    """The branch, and what of it enters the photo's logit."""
    if card.outlines is None:
        return "none"
    said, branch = card.outlines.evidence, card.outlines
    return (
        f"{branch.cells} x {branch.cells} cells, {', '.join(branch.kinds)}; {branch.parameters:,} parameters; "
        f"logit = {said.bias:.3f} + {said.head:.3f} head + {said.largest:.3f} largest {said.cells} "
        f"+ {said.area:.3f} log area"
    )


def training_table(card: Card) -> Table:
    """What it was trained on, by source and licence."""
    table = Table("source", "licence", "photos", "damaged", title="Trained on")
    for source in card.training:
        table.add_row(escape(source.source), escape(source.licence), f"{source.photos:,}", f"{source.damaged:,}")
    return table


def metrics_table(card: Card) -> Table:
    """How good it is, with intervals."""
    names = list(dict.fromkeys(name for metrics in card.metrics.values() for name in metrics.measures))
    table = Table("set", "photos", *(name.replace("_", " ") for name in names), title="How good (95 % interval)")
    for set_name, metrics in card.metrics.items():
        cells = [
            f"{measure.value:.3f} ({measure.low:.3f}–{measure.high:.3f})" if measure else "–"
            for measure in (metrics.measures.get(name) for name in names)
        ]
        table.add_row(set_name, f"{metrics.photos:,}", *cells)
    return table
