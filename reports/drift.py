"""Whether the distribution of a model's scores has changed. Pure."""

from dataclasses import dataclass
from math import log

from db.queries.night_figures import ScoreShape

FEWEST = 100  # sets on either side: below, chance alone moves the index
# The usual reading of the population stability index: Siddiqi, Credit Risk Scorecards (2006), p. 137.
_MOVED, _MOVED_FAR = 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Drift:
    """The population stability index between two shapes of scores, None where there are too few."""

    index: float | None
    recent: ScoreShape
    before: ScoreShape

    @property
    def words(self) -> str:
        """What a person should know of it."""
        if self.index is None:
            few = min(self.recent.sets, self.before.sets)
            return f"Too few returns to compare this week's scores with the four weeks before ({few} of {FEWEST})."
        figures = f"(stability index {self.index:.2f})"
        if self.index < _MOVED:
            return f"This week's scores are distributed as in the four weeks before {figures}."
        if self.index < _MOVED_FAR:
            return f"This week's scores differ a little from the four weeks before {figures}; watch them."
        return (
            f"This week's scores differ clearly from the four weeks before {figures}: look at this week's photos; "
            "how they are taken, or the fleet itself, has changed."
        )


def drift(recent: ScoreShape, before: ScoreShape) -> Drift:
    """The population stability index: sum of (p - q) ln(p / q) over tenths of the score, half a set added to each."""
    if min(recent.sets, before.sets) < FEWEST:
        return Drift(None, recent, before)
    parts = []
    for new, old in zip(recent.tenths, before.tenths, strict=True):
        p = (new + 0.5) / (recent.sets + len(recent.tenths) / 2)
        q = (old + 0.5) / (before.sets + len(before.tenths) / 2)
        parts.append((p - q) * log(p / q))
    return Drift(sum(parts), recent, before)
