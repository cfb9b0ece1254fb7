"""The GPU's benchmark at tiny size on a CPU: what it would run on a GPU, with either way of running it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.model.artefact import Artefact, save_artefact
from core.model.card import Description
from core.model.network import PREPROCESSING, build_network
from tests.benchmarks.gpu import BusyWatch
from tests.benchmarks.gpu_passes import ceiling, keras_passes, open_passes, reference

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    description = Description(
        name="random", created_at=datetime(2026, 1, 2, tzinfo=UTC), preprocessing=PREPROCESSING, input={"size": 32}
    )
    return save_artefact(build_network(32), description, tmp_path_factory.mktemp("model") / "random")


def test_every_pass_says_what_the_cpu_says(artefact: Artefact) -> None:
    views = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    wanted = reference(artefact, views)
    for one in [*open_passes(artefact), *keras_passes(artefact)]:
        found = one.run(views)
        assert found.shape == (3,)
        np.testing.assert_allclose(found, wanted, atol=1e-4 if one.precision == "float32" else 0.05, err_msg=one.name)


def test_a_ceiling_is_found() -> None:
    assert ceiling("float32", 64) > 1e6


def test_the_busy_share_is_what_nvidia_smi_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 37\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with BusyWatch(every_s=0.01) as watch:
        while not watch.samples:
            pass
    assert set(watch.samples) == {37.0}


def test_without_a_gpu_there_are_no_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with BusyWatch(every_s=0.001) as watch:
        pass
    assert watch.samples == []
