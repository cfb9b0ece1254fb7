"""A whole deployment is well, and says what was given up when asked to replay it."""

import json
from pathlib import Path

import pytest

from core.settings import SHIPPED_MODEL
from tests.integration.deployment import deployment, wait_until

pytestmark = [
    pytest.mark.skipif(not SHIPPED_MODEL.exists(), reason=f"no trained model in {SHIPPED_MODEL}"),
    pytest.mark.timeout(600),
]


def test_all_is_well_with_broker_beat_and_two_workers_on_one_machine(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    database = f"sqlite:///{tmp_path / 'walkaround.sqlite'}"
    with deployment(tmp_path / "system", database, store=tmp_path / "photos") as system:
        assert system.run("db", "upgrade").returncode == 0
        system.start("intake", "worker", "--queues", "intake")
        system.start("classify", "worker", "--queues", "classify,rescore")
        system.start("beat", "beat")
        wait_until(lambda: " ready." in system.log("intake"), 200, lambda: system.log("intake"))
        wait_until(lambda: " ready." in system.log("classify"), 200, lambda: system.log("classify"))
        wait_until(lambda: "beat: Acquired lock" in system.log("beat"), 200, lambda: system.log("beat"))
        done = system.run("doctor", "--json")
    findings = json.loads(done.stdout)
    assert done.returncode == 0, findings
    assert {finding["check"]: finding["seen"] for finding in findings}["workers"] == "2 workers serve all queues"
    assert "DuplicateNodename" not in done.stderr
