"""Draws the measured rates of build/bench.json as bars: what people would rather look at than read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _OURS, _THEIRS = "#22303c", "#c8553d", "#9fb4c0"
_RATE = re.compile(r"^[\d,.]+")


@dataclass(frozen=True, slots=True)
class Bars:
    """A panel of the first table of a part: a bar for each row, of the first of these columns that has a figure."""

    part: str
    columns: Sequence[int]
    title: str


PANELS = (
    Bars("decode", (1,), "Decoding a 12-megapixel JPEG: ms, one thread"),
    Bars("engine", (2,), "The network: views/s, batches of 8"),
    Bars("pipeline", (1, 2), "The whole job: photos/s (loop and floor without start-up)"),
    Bars("pipeline-at-224", (1, 2), "The whole job at 224 pixels: photos/s (loop and floor without start-up)"),
)


def draw(parts: Mapping[str, Any], path: Path) -> bool:
    """One panel for each part that was measured in full; whether there was any."""
    measured = [bars for bars in PANELS if bars.part in parts and not parts[bars.part]["small"]]
    if not measured:
        return False
    rows = [bar_rows(parts[bars.part]["tables"][0]["rows"], bars.columns) for bars in measured]
    figure = Figure(figsize=(9.0, sum(0.9 + 0.32 * len(found) for found in rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(measured), 1, squeeze=False, height_ratios=[len(found) + 1.5 for found in rows])
    for axes, bars, found in zip(panels[:, 0], measured, rows, strict=True):
        _draw_bars(axes, bars.title, found)
    figure.savefig(path, dpi=110)
    return True


def bar_rows(rows: Sequence[Sequence[object]], columns: Sequence[int]) -> list[tuple[str, float]]:
    """Names, and figures as the tables write them, "39.5 (39.0 to 44.5)", as numbers."""
    found = []
    for row in rows:
        figure = next((match for column in columns if (match := _RATE.match(str(row[column])))), None)
        if figure:
            found.append((str(row[0]).replace("`", ""), float(figure[0].replace(",", ""))))
    return found


def _draw_bars(axes: "Axes", title: str, rows: Sequence[tuple[str, float]]) -> None:
    names, values = [name for name, _ in rows][::-1], [value for _, value in rows][::-1]
    drawn = axes.barh(
        names, values, color=[_OURS if name.startswith(("ours", "walkaround")) else _THEIRS for name in names]
    )
    axes.bar_label(drawn, [f"{value:,.1f}" for value in values], padding=4, color=_INK)
    axes.set_title(title, loc="left", color=_INK, fontsize=10)
    axes.set_xlim(0, max(values) * 1.12)
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
