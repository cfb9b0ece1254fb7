"""How many intact returns raise a false alarm, by their number of photos: picture and figures of docs/verdicts.md.

    walkaround model evaluate --manifest ../shared/data/dev/manifest.csv --split test --json > test.json
    walkaround model evaluate --manifest ../shared/data/returns/returns.csv --json > returns.json
    python -m studies.false_alarms --data ../shared/data --test test.json --returns returns.json

Returns are drawn at random from intact photos that the fit never saw. The band is the 95 % interval over resamples of
those photos, of which there are few: what happens once in a thousand photos, 370 cannot show.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from core.domain import ClosedBy, Label, PhotoStatus
from core.model.artefact import open_artefact
from core.policy import Policy
from core.settings import SHIPPED_MODEL
from core.verdict import PhotoEvidence, decide

SIZES = (4, 6, 8, 10, 12, 16, 20, 25, 30, 40)
RETURNS, RESAMPLES = 4000, 100
NAIVE = 0.5

Floats = NDArray[np.float64]


def alarm_rates(intact: Floats, policy: Policy, rng: np.random.Generator) -> Floats:
    """Shares (sizes, 3) of returns drawn from these photos: any over 0.5; called damaged; not called clear."""
    rates = []
    for size in SIZES:
        drawn = np.sort(rng.choice(intact, (RETURNS, size)), axis=1)[:, ::-1]
        ranks = range(1, size + 1)
        damaged = np.array([policy.damaged_at_rank(rank, size) for rank in ranks])
        clear = np.array([policy.clear_below_rank(rank, size) for rank in ranks])
        rates.append([(drawn[:, 0] >= NAIVE).mean(), _any(drawn >= damaged), _any(drawn >= clear)])
    return np.array(rates)


def _any(reached: NDArray[np.bool_]) -> float:
    return float(reached.any(axis=1).mean())


def with_intervals(intact: Floats, policy: Policy) -> tuple[Floats, Floats, Floats]:
    """The rates, and the ends of their 95 % intervals over resamples of the photos."""
    rng = np.random.default_rng(0)
    resampled = [alarm_rates(rng.choice(intact, len(intact)), policy, rng) for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return alarm_rates(intact, policy, rng), low, high


def judge_returns(rows: list[dict[str, str]], probability: dict[str, float], policy: Policy) -> dict[str, list[int]]:
    """Real returns by the shipped decide(): label to [damaged, intact] counts; `naive` counts those over 0.5."""
    photos: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        photos[row["set_id"]].append(row)
    counts: dict[str, list[int]] = {name: [0, 0] for name in (*Label, "naive")}
    for found in photos.values():
        evidence = [PhotoEvidence(r["file"], PhotoStatus.OK, r["file"], None, probability[r["file"]]) for r in found]
        truth = 0 if any(row["label"] == "damaged" for row in found) else 1
        decision = decide(evidence, policy, ClosedBy.MARKER)
        counts[decision.label][truth] += 1
        counts["naive"][truth] += (decision.score or 0.0) >= NAIVE
    return counts


def draw(curves: dict[str, tuple[Floats, Floats, Floats]], policy: Policy, path: Path) -> None:
    """One panel for each source of photos."""
    assert policy.false_alarms is not None
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    names = ("any photo over 0.5", "called damaged", "not called clear")
    colours = ("#888888", "#b3261e", "#c77700")
    for column, (title, (rates, low, high)) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(1, len(curves), column)
        for line, (name, colour) in enumerate(zip(names, colours, strict=True)):
            axes.plot(SIZES, rates[:, line], color=colour, label=name, marker="o", markersize=3)
            axes.fill_between(SIZES, low[:, line], high[:, line], color=colour, alpha=0.15, linewidth=0)
        for rate, colour in (
            (policy.false_alarms.damaged_rate, colours[1]),
            (policy.false_alarms.undecided_rate, colours[2]),
        ):
            axes.axhline(rate, color=colour, linestyle=":", linewidth=1)
        axes.set(title=title, xlabel="photos in an intact return", ylabel="share of intact returns", ylim=(0, 1))
        if column == 1:
            axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "test", "returns"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures" / "false_alarms.png"
    )
    given = parser.parse_args()
    policy = open_artefact(given.model).card.policy
    curves, returns = {}, []
    for title, said, manifest in (
        ("photos of the test split", given.test, given.data / "dev" / "manifest.csv"),
        ("photos of returns/", given.returns, given.data / "returns" / "returns.csv"),
    ):
        probability = {photo["file"]: photo["probability"] for photo in json.loads(said.read_text())["photos"]}
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["file"] in probability]
        intact = np.array([probability[row["file"]] for row in rows if row["label"] == "intact"])
        curves[f"{title} ({len(intact)})"] = with_intervals(intact, policy)
        returns = rows
    for title, (rates, low, high) in curves.items():
        print(title)
        for size, *lines in zip(SIZES, rates, low, high, strict=True):
            print(
                f"  {size:3}",
                *(f"{mid:.3f} ({least:.3f} to {most:.3f})" for mid, least, most in zip(*lines, strict=True)),
            )
    for label, (damaged, sound) in judge_returns(returns, probability, policy).items():
        print(f"  {label}: {damaged} damaged and {sound} intact returns")
    draw(curves, policy, given.out)


if __name__ == "__main__":
    main()
