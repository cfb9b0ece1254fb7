"""Every choice of a branch's training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutlineRecipe:
    """Every choice of training the branch; the card keeps it.

    `views` of those planned are looked at, a share `painted` of intact photos also with painted damage. An epoch draws
    as many as there are: balanced, but for a share `plain`; a painted view is drawn `painted_weight` times as often as
    balance asks for. Of the stages' values a share `dropout` is left out at each step. The loss is the cells'
    cross-entropy, and `dice`, `kinds` and `evidence` times the others.
    """

    seed: int = 0
    views: int = 3584
    painted: float = 0.3
    painted_weight: float = 0.8
    plain: float = 0.15
    steps: int = 800
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    dropout: float = 0.2
    dice: float = 0.5
    kinds: float = 0.2
    evidence: float = 0.2
