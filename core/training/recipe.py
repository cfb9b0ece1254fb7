"""Every choice of a training run."""

from dataclasses import dataclass

from core.domain import ViewPlan
from core.model.pooling import Pooling


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every choice of a training run; the card keeps it.

    `augmented`: altered looks cached of a photo; a `painted` share of the intact photos has as many painted twins. An
    epoch draws `drawn` of a photo's looks, `clean` of them unaltered, and one of its twins. Of each look the network
    learns from the whole photo and `tiles_drawn` of its `tiles` x `tiles` tiles, pooled with the weights `tile_max` and
    `tile_mean`; the whole view has to know the label for itself too, with `whole_weight`. `batch` counts views. The
    head begins as `members` small heads side by side (core.training.committee).
    """

    seed: int = 0
    input_size: int = 448
    tiles: int = 0
    tiles_drawn: int = 2
    augmented: int = 1
    epochs: int = 6
    drawn: int = 1
    clean: float = 0.6
    painted: float = 0.0
    members: int = 4
    batch: int = 36
    learning_rate: float = 3e-5
    head_learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    label_smoothing: float = 0.05
    dropout: float = 0.5
    whole_weight: float = 0.3
    tile_max: float = 0.25
    tile_mean: float = 0.25

    @property
    def plan(self) -> ViewPlan:
        """What is seen of a look."""
        return ViewPlan(self.input_size, self.tiles)

    @property
    def views_drawn(self) -> int:
        """Views of a look that an epoch learns from."""
        return 1 + min(self.tiles_drawn, self.tiles * self.tiles)

    @property
    def looks(self) -> int:
        """Looks in a batch."""
        return max(1, self.batch // self.views_drawn)

    @property
    def pooling(self) -> Pooling:
        """How a look's logits make one while training; what serving does is fitted afterwards."""
        if not self.tiles:
            return Pooling()
        return Pooling(whole=1.0 - self.tile_max - self.tile_mean, tile_max=self.tile_max, tile_mean=self.tile_mean)
