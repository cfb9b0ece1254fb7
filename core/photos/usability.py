"""Whether a photo shows anything to score, judged by the measures of `core.photos.quality`."""

from dataclasses import dataclass
from enum import StrEnum

from core.domain import Quality


class Unusable(StrEnum):
    """Why a readable photo shows nothing to score. Stored as the photo's reason."""

    TOO_SMALL = "too_small"
    BLANK = "blank"
    TOO_DARK = "too_dark"
    OVER_EXPOSED = "over_exposed"
    BLURRED = "blurred"

    @property
    def explanation(self) -> str:
        """What is wrong with the photo, and what to do, for a person."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Unusable.TOO_SMALL: "the photo is too small to show damage; take it at full size",
    Unusable.BLANK: "the photo shows a plain surface without any detail; take it again",
    Unusable.TOO_DARK: "the photo is almost black; take it again in light",
    Unusable.OVER_EXPOSED: "the photo is almost white; take it again without glare",
    Unusable.BLURRED: "the photo is too blurred to show damage; take it again and hold still",
}


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """When a photo is unusable. `min_side` is in pixels of the original; the rest are `Quality`'s measures, 0 to 1.

    Chosen on 5,724 photos that people had accepted (tests/unit/core/photos/test_quality.py): a night shot or a plain
    white door must pass, because a photo called unusable costs a person's time.
    """

    min_side: int = 96
    min_contrast: float = 0.006
    max_dark_share: float = 0.9
    max_bright_share: float = 0.9
    min_sharpness: float = 0.035
    # Plain paint in focus is as smooth as a blurred photo, so sharpness is judged only where there is contrast.
    sharpness_needs_contrast: float = 0.08


def judge(quality: Quality, width: int, height: int, limits: QualityLimits = QualityLimits()) -> Unusable | None:
    """The reason why a photo of `width` x `height` original pixels is unusable, or None."""
    if min(width, height) < limits.min_side:
        return Unusable.TOO_SMALL
    if quality.dark_share > limits.max_dark_share:
        return Unusable.TOO_DARK
    if quality.bright_share > limits.max_bright_share:
        return Unusable.OVER_EXPOSED
    if quality.contrast < limits.min_contrast:
        return Unusable.BLANK
    if quality.contrast >= limits.sharpness_needs_contrast and quality.sharpness < limits.min_sharpness:
        return Unusable.BLURRED
    return None
