"""A photo loader without processes, held to the same contract tests as the one that has them."""

from core.domain import LoadedPhoto, ViewPlan
from core.photos.decode import load_photo


class InlinePhotoLoader:
    """A `PhotoLoader` without processes or limits, for photos one trusts."""

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """See `PhotoLoader.load`."""
        return load_photo(data, plan)

    def close(self) -> None:
        """Nothing to end."""
