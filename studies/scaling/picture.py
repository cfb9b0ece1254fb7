"""The picture of docs/scaling.md."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from studies.scaling.costs import Figures
from studies.scaling.fleet import asked, nodes, nodes_for_the_mean, nodes_needed, serve
from studies.scaling.queueing import rate_by_second

_COLOURS = ("#0b57d0", "#5e97f6", "#188038")
_RETURNS = 1_000_000


def draw(f: Figures, path: Path) -> None:
    """The day, how long returns wait by what is spent on nodes, and what the servers are asked for."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    day, waiting, servers = figure.subplots(1, 3, width_ratios=(0.8, 1, 1.5))
    _draw_day(day)
    _draw_waiting(f, waiting)
    _draw_servers(f, servers)
    figure.savefig(path, dpi=110)


def _draw_day(axes: Axes) -> None:
    rate = np.roll(rate_by_second(), 3 * 3600)[::60]
    axes.fill_between(np.linspace(0, 24, len(rate)), rate / rate.mean(), color=_COLOURS[0], alpha=0.3, linewidth=0)
    axes.axhline(1, color="#888888", linestyle=":", linewidth=1)
    axes.set(title="A day's returns", xlabel="hour", ylabel="times the day's mean", xlim=(0, 24), ylim=(0, None))


def _draw_waiting(f: Figures, axes: Axes) -> None:
    for node, colour in zip(nodes(f), _COLOURS, strict=True):
        few, enough = (needed(f, node, 10 * _RETURNS) for needed in (nodes_for_the_mean, nodes_needed))
        counts = sorted({*np.linspace(few, enough + 1, 9).round().astype(int).tolist()})
        late = [serve(f, node, 10 * _RETURNS, count) for count in counts]
        price = [service.dollars / 1000 for service in late]
        axes.plot(price, [service.p95_s for service in late], color=colour, marker="o", markersize=3, label=node.name)
    axes.axhline(f["target_s"], color="#888888", linestyle=":", linewidth=1)
    axes.set(title="Ten million returns a day", xlabel="nodes, thousand $ a month", yscale="log", ylabel="p95")
    axes.set_yticks([1, 10, 60, 600, 3600, 6 * 3600], ["1 s", "10 s", "1 min", "10 min", "1 h", "6 h"])
    axes.legend(frameon=False)


def _draw_servers(f: Figures, axes: Axes) -> None:
    returns = np.logspace(3, 7, 30)
    names = [item.server for item in asked(f, 1.0, 0.0) if item.used]
    lines = {name: [next(i.share for i in asked(f, day, 0.0) if i.server == name) for day in returns] for name in names}
    for name, shares in sorted(lines.items(), key=lambda line: -line[1][-1]):
        axes.plot(returns, shares, label=name.replace(" under one prefix", ""))
    axes.axhline(1, color="#b3261e", linestyle=":", linewidth=1)
    axes.set(title="What one of each is asked for", xlabel="returns a day", ylabel="share of its limit")
    axes.set(xscale="log", yscale="log", ylim=(1e-3, 1e3), xlim=(1e3, 1e7))
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
