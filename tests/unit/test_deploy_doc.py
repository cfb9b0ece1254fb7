"""docs/deploy.md says what is so: its settings, its shell, its JSON. Run as a program, it writes the settings."""

import json
import re
import subprocess
from datetime import time, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.settings import PREFIX, SHIPPED_MODEL, Settings

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "deploy.md"
TABLE = re.compile(r"(?<=-->\n)\n?(\| setting .*?)?(?=<!-- end of settings -->)", re.DOTALL)
MEASURED = {"concurrency": "from the cores", "decode_processes": "from cores and memory"}  # depend on the machine


def default_of(name: str, field: FieldInfo) -> str:
    value = field.default
    if name in MEASURED:
        return MEASURED[name]
    assert value is not PydanticUndefined, f"{name} has no default"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    if isinstance(value, time):
        value = f"{value:%H:%M}"
    if isinstance(value, bool):
        value = str(value).lower()
    if value == str(SHIPPED_MODEL):
        return "the shipped one"
    return f"`{value}`" if value not in (None, "") else ""


def settings_table() -> str:
    rows = [
        f"| `{PREFIX}{name.upper()}` | {default_of(name, field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_the_settings_are_those_of_the_code() -> None:
    found = TABLE.search(DOCUMENT.read_text())
    assert found is not None
    assert found[0] == settings_table(), "write it anew: python -m tests.unit.test_deploy_doc"


def test_the_shell_makes_every_secret_of_the_compose_file(tmp_path: Path) -> None:
    subprocess.run(["/bin/sh", "-eu", "-c", blocks("sh")[0]], cwd=tmp_path, check=True, timeout=60)

    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    made = {f"secrets/{path.name}": path.read_text().strip() for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == {secret["file"] for secret in compose["secrets"].values()}
    assert len(set(made.values())) == len(made)
    assert min(map(len, made.values())) >= 20
    assert made["secrets/database_password"] in made["secrets/database_url_owner"]
    for role in ("ingest", "worker", "reviewer"):
        assert made[f"secrets/database_password_{role}"] in made[f"secrets/database_url_{role}"]
    assert made["secrets/broker_password"] in made["secrets/walkaround_broker_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", range(3))
def test_the_json_is_json(number: int) -> None:
    document = json.loads(blocks("json")[number])
    assert {"Version", "Statement"} == set(document) or {"QueueConfigurations"} == set(document)


# Which right each call of ours to AWS needs.
RIGHTS = {
    **{"list_objects_v2": "s3:ListBucket", "head_bucket": "s3:ListBucket", "put_object": "s3:PutObject"},
    **{"get_object": "s3:GetObject", "head_object": "s3:GetObject", "receive_message": "sqs:ReceiveMessage"},
    **{"get_queue_attributes": "sqs:GetQueueAttributes", "delete_message_batch": "sqs:DeleteMessage"},
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
}


def test_the_role_has_the_rights_that_our_calls_need_and_no_other() -> None:
    code = "".join((ROOT / path).read_text() for path in ("core/storage/s3.py", "workers/consumer.py"))
    calls = set(re.findall(r"client\.(\w+)\(", code)) - {"get_paginator"}
    calls |= set(re.findall(r'get_paginator\("(\w+)"', code))
    (role,) = (found for text in blocks("json") if "s3:GetObject" in text for found in [json.loads(text)])
    allowed = [statement["Action"] for statement in role["Statement"]]
    granted = {action for actions in allowed for action in ([actions] if isinstance(actions, str) else actions)}
    assert granted == {RIGHTS[call] for call in calls}
    written = [statement["Resource"] for statement in role["Statement"] if statement["Action"] == "s3:PutObject"]
    assert written == [["arn:aws:s3:::BUCKET/reports/*", "arn:aws:s3:::BUCKET/reviews/*"]]


def test_the_queue_s_attributes_are_json_twice() -> None:
    (attributes,) = re.findall(r"--attributes '(\{.*?\})'", DOCUMENT.read_text(), re.DOTALL)
    assert json.loads(json.loads(attributes)["RedrivePolicy"])["maxReceiveCount"] == "20"


def test_services_and_metrics_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text()
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in services:
        assert f"`{service}`" in text
    telemetry = (ROOT / "workers" / "metrics.py").read_text()
    for metric in set(re.findall(r"walkaround_[a-z_]+?(?=_total\{|\{|`)", text)):
        if metric.startswith(("walkaround_backlog", "walkaround_event", "walkaround_sets", "walkaround_photos")):
            assert f'"{metric}"' in telemetry, metric


if __name__ == "__main__":
    DOCUMENT.write_text(TABLE.sub(lambda _: settings_table(), DOCUMENT.read_text(), count=1))
