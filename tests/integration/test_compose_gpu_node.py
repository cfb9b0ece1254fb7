"""The compose file of a node with eight GPUs: one worker on each, like the GPU worker of docker-compose.yml."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from core.settings import load_settings
from tests.integration.test_compose import ROOT, SERVICES, settings_of, sources, targets

FILE = "compose.gpu-node.yml"
NODE: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text())
WORKERS: dict[str, dict[str, Any]] = NODE["services"]
MAIN = SERVICES["classify-gpu"]


def test_the_schema_holds() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_each_worker_has_a_gpu_of_its_own() -> None:
    devices = [service["deploy"]["resources"]["reservations"]["devices"] for service in WORKERS.values()]
    assert [device["device_ids"] for (device,) in devices] == [[str(number)] for number in range(8)]
    assert list(WORKERS) == [f"classify-gpu-{number}" for number in range(8)]
    assert all(settings_of(service)["WALKAROUND_DEVICE"] == "gpu" for service in WORKERS.values())


@pytest.mark.parametrize("part", ["command", "image", "read_only", "cap_drop", "security_opt", "stop_grace_period"])
def test_they_are_run_as_on_the_main_machine(part: str) -> None:
    assert [service[part] for service in WORKERS.values()] == [MAIN[part]] * 8


def test_nothing_keeps_them_from_the_main_machine() -> None:
    """No network without a way out, nothing waited for that is not in this file."""
    for number, service in enumerate(WORKERS.values()):
        assert not {"networks", "depends_on"} & service.keys()
        assert service["ports"] == [f"${{METRICS_LISTEN:-127.0.0.1}}:{9100 + number}:9100"]
        assert sources(service) == set(NODE["secrets"])
        assert targets(service) == targets(MAIN)


def test_its_settings_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings_of(WORKERS["classify-gpu-0"]).items():
        monkeypatch.setenv(name, value)
    assert load_settings().device == "gpu"
