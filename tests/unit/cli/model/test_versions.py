"""`walkaround model versions | shadow | compare | activate | rollback` on both databases."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from cli.main import model_app
from core.domain import Label, ModelIdentity
from core.errors import ModelUnusable, PolicyInvalid, PromotionRefused
from core.model.artefact import Artefact
from core.review_line import ReviewLine
from db import queries, transactions
from db.session import Sessions, make_sessions
from tests.photo_sets import MARKED, NOW, POLICY, judge, register, set_ref, stored
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture

MakeArtefact = Callable[..., Artefact]


@dataclass
class House:
    """A database in which the first model judged three returns: damaged, clear, clear."""

    sessions: Sessions
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str | Path) -> str:
        result = CliRunner().invoke(model_app, [str(argument) for argument in arguments], env=self.environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def labels(self) -> list[Label]:
        return [row.label for row in queries.current_verdicts(self.sessions)]


@pytest.fixture
def house(database_url: str, make_test_engine: Callable[..., Engine], tmp_path: Path) -> House:
    store = tmp_path / "photos"
    store.mkdir()
    sessions = make_sessions(make_test_engine(database_url))
    register(sessions)
    for number, probability in ((1, 0.9), (2, 0.1), (3, 0.2)):
        ref = set_ref(number)
        outcome = transactions.ingest(sessions, str(store), ref, stored(ref, "a"), MARKED, None, None, NOW)
        judge(sessions, outcome.opened[0], probability)
    environment = {
        "WALKAROUND_DATABASE_URL": database_url,
        "WALKAROUND_STORE": str(store),
        "WALKAROUND_BROKER_URL": "redis://127.0.0.1:9/0",
    }
    return House(sessions, tmp_path, environment)


def test_a_candidate_is_asked_beside_the_active_model(house: House, make_artefact: MakeArtefact) -> None:  # noqa: F811
    made = make_artefact("second")
    assert "version 2 (second) will score 3 returns" in house.run("shadow", made.folder)
    assert "will score 0 returns" in house.run("shadow", made.folder), "asked once"
    assert [(row["id"], row["state"], row["waiting"]) for row in house.json("versions")] == [
        (1, "active", 0),
        (2, "candidate", 3),
    ]
    assert house.labels() == [Label.DAMAGED, Label.CLEAR, Label.CLEAR], "people see what they saw"


def candidate(house: House, probability: float = 0.9) -> int:
    """A second model that gave every return this probability."""
    model_id = transactions.begin_shadow(house.sessions, ModelIdentity("second", "c" * 64, "b" * 64), POLICY)
    for work in transactions.open_rescoring(house.sessions, model_id, 100):
        judge(house.sessions, work, probability)
    return model_id


def test_what_would_change_is_told_set_by_set(house: House) -> None:
    candidate(house)
    transactions.import_reviews(
        house.sessions, str(house.folder / "photos"), [_review(2, "clear"), _review(3, "damaged")], NOW
    )
    found = house.json("compare", "active", "2")
    assert (found["sets"], found["changed_sets"], found["only_first"], found["only_second"]) == (3, 2, 0, 0)
    assert found["labels"] == [
        {"first": "clear", "second": "damaged", "sets": 2},
        {"first": "damaged", "second": "damaged", "sets": 1},
    ]
    assert found["reviewed"] == {"sets": 2, "first_right": 1, "second_right": 1}
    assert found["photos"]["both"] == 3
    assert found["photos"]["mean_shift"] == pytest.approx(0.5)
    assert [(item["vehicle"], item["reviewed"]) for item in found["changed"]] == [
        ("V-002", "clear"),
        ("V-003", "damaged"),
    ]
    assert "2 of 3 returns" in house.run("compare", "1", "second")
    assert house.json("compare", "second", "first")["labels"][0] == {"first": "damaged", "second": "clear", "sets": 2}
    assert house.json("compare", "1", "2", "--fleet", "nobodys")["sets"] == 0


def _review(number: int, label: str) -> ReviewLine:
    return ReviewLine(set_key=set_ref(number).set_key, label=Label(label), reason_code="dent", reviewer="ana")


def test_the_page_of_a_comparison_shows_what_changes(house: House) -> None:
    candidate(house)
    house.run("compare", "active", "second", "--html", house.folder / "compare.html")
    text = (house.folder / "compare.html").read_text()
    assert "V-002" in text
    assert "V-001" not in text, "its verdict stays"


def test_versions_that_are_not_there_are_named(house: House) -> None:
    for reference in ("7", "nobody", "retired"):
        with pytest.raises(ModelUnusable, match=rf"{reference} is no model version .* 1 \(first\) active"):
            house.run("compare", "active", reference)
    with pytest.raises(ModelUnusable, match="the same version"):
        house.run("compare", "active", "1")


def test_activation_and_rollback_are_one_command_each(house: House) -> None:
    candidate(house)
    assert "version 2 (second) is the active model; 0 returns will be scored again" in house.run("activate", "2")
    assert house.labels() == [Label.DAMAGED] * 3
    assert "version 1 (first) is the active model again" in house.run("rollback", "--reason", "false alarms")
    assert house.labels() == [Label.DAMAGED, Label.CLEAR, Label.CLEAR]
    assert house.json("versions")[1]["verdicts"] == 3, "what the other said stays"


def test_there_may_be_nothing_to_go_back_to(house: House) -> None:
    with pytest.raises(PromotionRefused, match="nothing to go back to"):
        house.run("rollback", "--reason", "a try")


def test_a_policy_alone_can_be_a_candidate(house: House) -> None:
    policy = house.folder / "strict.json"
    active = queries.active_model(house.sessions)
    assert active is not None
    document = active.policy.model_dump(mode="json")
    policy.write_text(json.dumps(_stricter(document)))
    assert "version 2 (first) will score 3 returns" in house.run("shadow", "active", "--policy", policy)
    assert "shadow scoring by version 2 (first) has stopped" in house.run(
        "shadow", "active", "--policy", policy, "--stop"
    )
    assert [row["state"] for row in house.json("versions")] == ["active", "retired"]
    assert "version 2 (first) will score" in house.run("shadow", "active", "--policy", policy)
    assert "shadow scoring by version 2 (first) has stopped" in house.run("shadow", "2", "--stop")
    policy.write_text(json.dumps(_stricter(_stricter(document))))
    with pytest.raises(ModelUnusable, match="active with .*strict.json is no model version"):
        house.run("shadow", "active", "--policy", policy, "--stop")
    for text, words in (("{", "Invalid JSON"), ('{"colour": 1}', "damaged_at: Field required")):
        policy.write_text(text)
        with pytest.raises(PolicyInvalid, match=f"strict.json.*{words}"):
            house.run("shadow", "active", "--policy", policy)
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        house.run("shadow", "active", "--policy", house.folder / "none.json")


def _stricter(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "clear_below": document["clear_below"] / 2} if "clear_below" in document else document


def test_promotion_moves_the_registry_and_its_own_deployment_together(
    house: House,
    make_artefact: MakeArtefact,  # noqa: F811
) -> None:
    registry = house.folder / "registry"
    house.run("publish", make_artefact("one").folder, registry)
    house.run("publish", make_artefact("two", temperature=2.0).folder, registry)
    house.environment["WALKAROUND_MODEL"] = str(registry)
    for name in ("one", "two"):
        assert "3 returns will be scored again" in house.run("promote", name, registry)
        active = queries.active_model(house.sessions)
        assert active is not None
        assert active.identity.name == name
    house.run("rollback", registry, "--reason", "false alarms")
    active = queries.active_model(house.sessions)
    assert active is not None
    assert active.identity.name == "one"


@pytest.mark.parametrize("command", ["versions", "shadow", "compare", "activate"])
def test_help_shows_an_example(command: str) -> None:
    assert f"walkaround model {command}" in CliRunner().invoke(model_app, [command, "--help"]).stdout
