"""`walkaround model`, through the application itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import model_app
from core.errors import PromotionRefused
from core.model.artefact import Artefact
from core.model.card import Measure, MetricSet
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture

MakeArtefact = Callable[..., Artefact]


def run(*arguments: str | Path) -> Any:
    """The command's output, as JSON where it is; its error raised."""
    result = CliRunner().invoke(model_app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def metrics(recall: float) -> dict[str, MetricSet]:
    return {"test": MetricSet(photos=9, damaged=4, measures={"recall": Measure(value=recall, low=0, high=1)})}


def test_a_model_is_published_promoted_and_rolled_back(make_artefact: MakeArtefact, tmp_path: Path) -> None:  # noqa: F811
    registry = tmp_path / "registry"
    for name, recall in (("old", 0.9), ("new", 0.95), ("worse", 0.5)):
        run("publish", make_artefact(name, metrics=metrics(recall)).folder, registry)
    run("promote", "old", registry)
    run("promote", "new", registry, "--who", "ada")
    with pytest.raises(PromotionRefused, match=r"recall on test is 0\.500, not 0\.950"):
        run("promote", "worse", registry)
    forced = run("promote", "worse", registry, "--force", "--reason", "it is night", "--json")
    assert (forced["forced"], forced["reason"]) == (True, "it is night")
    assert run("info", registry, "--json")["name"] == "worse"
    assert run("rollback", registry, "--reason", "it is day", "--json")["name"] == "new"
    listed = run("list", registry, "--json")
    assert [row["name"] for row in listed["models"] if row["promoted"]] == ["new"]
    assert [line["action"] for line in listed["history"]] == ["promote", "promote", "promote", "rollback"]
    assert "promoted" in run("list", registry)
    assert listed["history"][1]["who"] == "ada"


@pytest.mark.parametrize("command", ["info", "verify", "list", "publish", "promote", "rollback"])
def test_help_shows_an_example(command: str) -> None:
    assert f"walkaround model {command}" in run(command, "--help")
