"""Weights inside a `.keras` file: kernels halved, everything else untouched, a damaged file refused."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.stored_weights import WEIGHTS_MEMBER, read_weights, with_float16_kernels


def stored(**layers: list[np.ndarray]) -> bytes:
    """HDF5 as Keras writes it."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, arrays in layers.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for number, array in enumerate(arrays):
                group[str(number)] = array
        file.create_group("optimizer/vars")["0"] = np.ones(3)
    return content.getvalue()


def in_archive(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(WEIGHTS_MEMBER, content)
    return target.getvalue()


def test_kernels_are_halved_and_come_back_in_order() -> None:
    kernel, bias = np.full((2, 3), 0.1, np.float32), np.full(3, 0.1, np.float32)
    halved = with_float16_kernels(stored(dense=[kernel, bias], other=[bias]))
    weights = read_weights(in_archive(halved), "here")
    assert list(weights) == ["dense", "other"], "the optimizer's are left out"
    assert [array.dtype for array in weights["dense"]] == [np.float16, np.float32]
    np.testing.assert_array_equal(weights["dense"][0], kernel.astype(np.float16))
    np.testing.assert_array_equal(weights["dense"][1], bias)


@pytest.mark.parametrize("data", [b"no archive", in_archive(b"no HDF5")])
def test_what_cannot_be_read_is_named(data: bytes) -> None:
    with pytest.raises(ModelUnusable, match="the weights in here cannot be read"):
        read_weights(data, "here")
