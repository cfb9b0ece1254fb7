"""The weights inside a `.keras` file, as HDF5. h5py is imported only where they are read or written."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from core.errors import ModelUnusable

WEIGHTS_MEMBER = "model.weights.h5"


def read_weights(data: bytes, origin: str) -> dict[str, list[np.ndarray[Any, Any]]]:
    """Each layer's weights by the layer's name, in Keras' order, as they are stored. Raises `ModelUnusable`."""
    weights: dict[str, list[np.ndarray[Any, Any]]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = io.BytesIO(archive.read(WEIGHTS_MEMBER))
        with h5py.File(content, "r") as stored:
            for group in _variable_groups(stored):
                weights[str(group.attrs["name"])] = [group[str(i)][()] for i in range(len(group))]
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ModelUnusable(f"the weights in {origin} cannot be read ({error}); save the model again") from error
    return weights


def with_float16_kernels(stored: bytes) -> bytes:
    """The HDF5 file `stored` with every kernel as float16."""
    result = io.BytesIO()
    with h5py.File(io.BytesIO(stored), "r") as source, h5py.File(result, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                target.create_dataset(name, data=item[()].astype(np.float16) if item.ndim >= 2 else item[()])
            else:
                target.require_group(name).attrs.update(item.attrs)

        source.visititems(copy)
    return result.getvalue()


def _variable_groups(group: h5py.Group) -> Iterator[h5py.Group]:
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            if name == "vars" and "name" in item.attrs:
                yield item
            elif name not in ("vars", "optimizer"):
                yield from _variable_groups(item)
