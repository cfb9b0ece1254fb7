"""Fuzz the decoder with atheris, which is no dependency of ours: bring it along.

    pip install --target /tmp/atheris atheris
    python -m tests.faults.hostile /tmp/corpus
    PYTHONPATH=/tmp/atheris python -m tests.faults.fuzz_decode -max_total_time=600 -timeout=30 /tmp/corpus

Whatever the bytes, they are a photo of the right shape or a `PhotoRefused`.
"""

import sys
import warnings

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
import numpy as np

with atheris.instrument_imports(include=["PIL", "core.photos"]):
    from core.domain import ViewPlan
    from core.errors import PhotoRefused
    from core.photos.decode import load_photo

_PLAN = ViewPlan(size=32)


def decode_once(data: bytes) -> None:
    """One try."""
    try:
        photo = load_photo(data, _PLAN)
    except PhotoRefused:
        return
    assert photo.views.shape == (1, 32, 32, 3)
    assert photo.views.dtype == np.uint8


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="PIL")
    atheris.Setup(sys.argv, decode_once)
    atheris.Fuzz()
