"""Which seeds a scenario runs with: all in `make faults`, the first of some in every `make test`."""

import os

import pytest

SEEDS = tuple(int(seed) for seed in os.environ.get("FAULTS_SEEDS", "1,2,3,4,5").split(","))


def seeds(*, quick: bool = False) -> pytest.MarkDecorator:
    """Parametrise by seed. A `quick` scenario's first seed runs in the ordinary test run too."""
    together = pytest.mark.xdist_group("faults")  # so that the ordinary run starts the servers once
    marked = [
        pytest.param(seed, marks=together if quick and number == 0 else pytest.mark.faults)
        for number, seed in enumerate(SEEDS)
    ]
    return pytest.mark.parametrize("seed", marked)
