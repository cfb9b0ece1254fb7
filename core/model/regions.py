"""Outlines of damage for people: connected parts of the branch's map as polygons, each with its kind.

They show a reviewer where to look. No cost and no repair is ever derived from them.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.model.outline_branch import KINDS

Point = tuple[float, float]
Cell = tuple[int, int]
Floats = NDArray[np.floating]
LEAST_CELLS = 3  # smaller parts are left out: 0.1 % of a map of 56 x 56


@dataclass(frozen=True, slots=True)
class DamageRegion:
    """One connected damage: its outer edge as points (x, y) in shares of the upright photo, clockwise, not closed.

    `kind` is the likeliest of the cells' kinds, `area` the region's share of the photo, `probability` its cells' mean.
    """

    polygon: tuple[Point, ...]
    kind: str
    area: float
    probability: float


def find_regions(cells: Floats, least_cells: int = LEAST_CELLS) -> list[DamageRegion]:
    """The regions of a photo's logits (rows, columns, 1 + kinds) with a probability above a half, largest first."""
    rows, columns = cells.shape[:2]
    parts = [part for part in _connected(cells[..., 0] > 0) if len(part) >= least_cells]
    probability = 1.0 / (1.0 + np.exp(-cells[..., 0].astype(np.float64)))
    regions = []
    for part in sorted(parts, key=lambda part: (-len(part), part)):
        at = tuple(np.array(part).T)
        kind = KINDS[int(cells[at][:, 1:].mean(axis=0).argmax())]
        corners = tuple((round(x / columns, 5), round(y / rows, 5)) for x, y in _outer_edge(part))
        area = round(len(part) / (rows * columns), 6)
        regions.append(DamageRegion(corners, kind, area, round(float(probability[at].mean()), 6)))
    return regions


def _connected(damaged: NDArray[np.bool_]) -> list[list[Cell]]:
    """Cells (row, column) of each part that hangs together by edges, in reading order."""
    left = {(int(row), int(column)) for row, column in np.argwhere(damaged)}
    parts = []
    while left:
        waiting, part = [min(left)], []
        left.remove(waiting[0])
        while waiting:
            row, column = waiting.pop()
            part.append((row, column))
            for beside in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if beside in left:
                    left.remove(beside)
                    waiting.append(beside)
        parts.append(sorted(part))
    return parts


def _outer_edge(part: list[Cell]) -> list[Point]:
    """The part's outer edge through the middles of its cells' outer sides, in cells; corners in line are left out."""
    inside = set(part)
    sides: dict[Cell, list[Cell]] = defaultdict(list)  # from a corner (x, y) to the next, the part on the right
    for row, column in part:
        corners = ((column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1))
        beside = ((row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1))
        for number, other in enumerate(beside):
            if other not in inside:
                sides[corners[number]].append(corners[(number + 1) % 4])
    start = (part[0][1], part[0][0])  # the first cell in reading order has the outer edge above it
    walked, at = [start], sides[start].pop()
    while at != start:
        walked.append(at)
        at = _next(sides[at], walked[-2], at)
    middles = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in zip(walked, [*walked[1:], start], strict=True)]
    return [point for point, turns in zip(middles, _turns(middles), strict=True) if turns]


def _next(ways: list[Cell], before: Cell, at: Cell) -> Cell:
    """Where two cells of a part touch by a corner alone two sides begin: the one that turns right stays at its cell."""
    if len(ways) == 1:
        return ways.pop()
    ahead = (at[0] - before[0], at[1] - before[1])
    right = (at[0] - ahead[1], at[1] + ahead[0])
    return ways.pop(ways.index(right))


def _turns(points: list[Point]) -> list[bool]:
    """Whether the edge changes its direction at each point."""
    found = []
    for (a, b), (x, y), (c, d) in zip([points[-1], *points[:-1]], points, [*points[1:], points[0]], strict=True):
        found.append(abs((x - a) * (d - y) - (y - b) * (c - x)) > 1e-9)
    return found
