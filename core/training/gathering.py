"""Several manifests and files of outlines as one set of samples: photos are named by their folder and file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.training.dataset import Sample, read_samples
from core.training.outlines import Regions, read_outlined_samples, read_regions


@dataclass(frozen=True, slots=True)
class Gathered:
    """Samples of all manifests, and known damage by the sample's name."""

    samples: tuple[Sample, ...]
    outlines: Mapping[str, Regions]

    def of_split(self, split: str) -> list[Sample]:
        """The samples of one split."""
        return [sample for sample in self.samples if sample.split == split]


def gather(manifests: Sequence[Path], outlines: Sequence[Path]) -> Gathered:
    """Read them all. An outlined photo that no manifest names is a damaged sample by what its outlines say of it.

    Raises `DatasetInvalid`.
    """
    samples = {sample.name: sample for manifest in manifests for sample in named(manifest, read_samples(manifest))}
    regions: dict[str, Regions] = {}
    for path in outlines:
        folder = path.parent.resolve().name
        regions |= {f"{folder}/{name}": known for name, known in read_regions(path).items()}
        for sample in named(path, read_outlined_samples(path)):
            samples.setdefault(sample.name, sample)
    return Gathered(tuple(samples.values()), regions)


def named(manifest: Path, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with the manifest's folder before their names."""
    folder = (manifest if manifest.is_dir() else manifest.parent).resolve().name
    return [replace(sample, name=f"{folder}/{sample.name}", group=f"{folder}/{sample.group}") for sample in samples]
