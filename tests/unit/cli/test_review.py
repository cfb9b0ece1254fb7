"""`walkaround review`: decisions in and out, on both databases."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from cli.main import review_app
from core.domain import Label, ModelState
from core.errors import ReviewRefused
from core.review_line import photos_sha256
from db import queries, transactions
from db.session import Sessions, make_sessions
from tests.photo_sets import MARKED, NOW, judge, register, set_ref, stored

KEY = set_ref(1).set_key
EARLY = (NOW - timedelta(hours=1)).isoformat()


def told(sessions: Sessions, bucket: str) -> None:
    """Three sets with verdicts of one model; the second has a late photo."""
    register(sessions)
    for number in (1, 2, 3):
        ref = set_ref(number)
        judge(sessions, _arrive(sessions, bucket, number, "a"), 0.9 if ref.set_key == KEY else 0.1)
    judge(sessions, _arrive(sessions, bucket, 2, "a", "late"), 0.2)


def _arrive(sessions: Sessions, bucket: str, number: int, *names: str) -> transactions.WorkKey:
    ref = set_ref(number)
    outcome = transactions.ingest(sessions, bucket, ref, stored(ref, *names), MARKED, None, None, NOW)
    return outcome.opened[0]


@dataclass
class House:
    """A database with verdicts, and the command line on it."""

    sessions: Sessions
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str | Path, input: str | None = None, code: int = 0) -> str:
        result = CliRunner().invoke(
            review_app, [str(argument) for argument in arguments], input=input, env=self.environment
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    def take(self, *lines: dict[str, Any] | str, code: int = 0) -> dict[str, Any]:
        """Import lines; the outcome."""
        file = self.folder / "lines.jsonl"
        file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        outcome: dict[str, Any] = json.loads(self.run("import", file, "--json", code=code))
        return outcome

    def objects(self) -> list[Path]:
        """What lies under reviews/ in the store."""
        return sorted((self.folder / "photos" / "reviews").glob("*/*.json"))

    def rows(self) -> list[dict[str, Any]]:
        with self.sessions() as session:
            return [dict(row) for row in session.execute(text("SELECT * FROM review ORDER BY id")).mappings()]


MakeHouse = Callable[[str, str], House]


@pytest.fixture
def make_house(make_test_engine: Callable[..., Engine], tmp_path: Path) -> MakeHouse:
    def make(url: str, name: str) -> House:
        folder = tmp_path / name
        (folder / "photos").mkdir(parents=True)
        sessions = make_sessions(make_test_engine(url))
        told(sessions, str(folder / "photos"))
        return House(sessions, folder, {"WALKAROUND_DATABASE_URL": url, "WALKAROUND_STORE": str(folder / "photos")})

    return make


@pytest.fixture
def house(make_house: MakeHouse, database_url: str) -> House:
    return make_house(database_url, "house")


def line(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "set_key": set_ref(number).set_key,
        "label": "clear",
        "reason_code": "dirt",
        "reviewer": "ana",
        **fields,
    }


def test_a_decision_is_added_once_and_outranks_the_model(house: House) -> None:
    arguments = ("add", KEY, "--label", "clear", "--reason", "dirt", "--reviewer", "ana")
    assert "recorded" in house.run(*arguments)
    assert json.loads(house.run(*arguments, "--json"))["added"] is False
    (row,) = house.rows()
    assert (row["seen_generation"], row["seen_verdict_id"], row["reviewer"]) == (1, 1, "ana")
    current = queries.current_verdicts(house.sessions)[0]
    assert (current.label, current.decided_by) == (Label.CLEAR, "person")


def test_who_changes_their_mind_twice_is_heard_twice(house: House) -> None:
    for label in ("clear", "damaged", "clear", "clear"):
        house.run("add", KEY, "--label", label, "--reason", "dirt", "--reviewer", "ana")
    assert [row["label"] for row in house.rows()] == ["clear", "damaged", "clear"]
    assert queries.current_verdicts(house.sessions)[0].label is Label.CLEAR


def test_a_decision_on_what_is_not_there_is_refused(house: House) -> None:
    with pytest.raises(ReviewRefused, match="there is no return nowhere/"):
        house.run("add", "nowhere/", "--label", "clear", "--reason", "dirt")
    with pytest.raises(ReviewRefused, match="generation 2 of .* is not there; the latest is 1"):
        house.run("add", KEY, "--label", "clear", "--reason", "dirt", "--generation", "2")
    assert house.rows() == []


def test_bad_lines_are_named_and_the_good_ones_go_in(house: House) -> None:
    lines: list[dict[str, Any] | str] = [
        line(1),
        "",
        "not json",
        line(2, label="broken"),
        line(9),
        line(3, reviewed_at="2999-01-01T00:00:00Z"),
        line(3, boxes=[{"photo": "a.jpg", "box": [0.1, 0.2, 0.3, 0.4]}]),
    ]
    outcome = house.take(*lines, code=1)
    assert (outcome["added"], outcome["known"]) == (2, 0)
    assert [item["line"] for item in outcome["refused"]] == [3, 4, 5, 6]
    problems = [item["problem"] for item in outcome["refused"]]
    for problem, words in zip(problems, ["not JSON", "label: ", "there is no return", "in the future"], strict=True):
        assert words in problem
    again = house.take(*lines, code=1)
    assert (again["added"], again["known"]) == (0, 2)
    assert len(house.rows()) == 2


def test_a_line_told_again_after_a_late_photo_stays_what_it_was(house: House) -> None:
    house.take(line(1))
    judge(house.sessions, _arrive(house.sessions, str(house.folder / "photos"), 1, "a", "late"))
    assert house.take(line(1)) == {"added": 0, "known": 1, "unwritten": 0, "refused": []}
    assert [row["seen_generation"] for row in house.rows()] == [1]


def test_a_decision_older_than_the_photos_is_not_taken_for_one_on_them(house: House) -> None:
    early = (NOW - timedelta(hours=1)).isoformat()
    (refused,) = house.take(line(2, reviewed_at=early), code=1)["refused"]
    assert "changed after this was decided; look again, or name the generation (the latest is 2)" in refused["problem"]
    assert house.take(line(2, reviewed_at=early, generation=1))["added"] == 1


def test_a_decision_finds_its_photos_where_generations_are_counted_otherwise(
    make_house: MakeHouse, sqlite_url: str, postgresql_url: str
) -> None:
    lost, anew = make_house(sqlite_url, "lost"), make_house(postgresql_url, "anew")
    lost.take(line(2, key="k", verdict_by=None))
    told = {**json.loads(lost.run("export")), "generation": 7}
    assert anew.take(told)["added"] == 1
    assert anew.take(told)["known"] == 1
    assert [row["seen_generation"] for row in anew.rows()] == [2]
    assert [row.decided_by for row in queries.current_verdicts(anew.sessions)].count("person") == 1


def test_a_decision_on_other_photos_is_not_taken_for_one_on_these(house: House) -> None:
    other = photos_sha256([("a.jpg", "another")])
    for fields in ({}, {"generation": 2}, {"generation": 9}):
        (refused,) = house.take(line(2, photos_sha256=other, **fields), code=1)["refused"]
        assert "holds other photos than those this was decided on; look at it again" in refused["problem"]
    assert house.take(line(2, photos_sha256=other, generation=1))["added"] == 1
    assert [row["seen_photos_sha256"] for row in house.rows()] == [other]


def test_a_key_of_another_decision_is_refused(house: House) -> None:
    house.take(line(1, key="k"))
    (refused,) = house.take(line(1, key="k", label="damaged"), code=1)["refused"]
    assert "taken by another decision" in refused["problem"]


def test_a_rescore_overwrites_no_review(house: House) -> None:
    house.take(line(1))
    before = house.rows()
    second = register(house.sessions, "second", ModelState.CANDIDATE)
    for work in transactions.open_rescoring(house.sessions, second, 10):
        judge(house.sessions, work, 0.99)
    transactions.activate_model(house.sessions, second)
    assert house.rows() == before
    assert queries.current_verdicts(house.sessions)[0].label is Label.CLEAR


def test_what_goes_out_comes_in_unchanged(make_house: MakeHouse, sqlite_url: str, postgresql_url: str) -> None:
    """From one kind of database to the other, into a copy without reviews; the second time nothing changes."""
    first, second = make_house(sqlite_url, "first"), make_house(postgresql_url, "second")
    boxes = [{"photo": "a.jpg", "box": [0.1, 0.2, 0.3, 0.4]}]
    first.take(line(1, boxes=boxes), line(2, generation=1, verdict_by=None), line(3, reviewer="Zoë"), line(1, key="k"))
    first.run("export", first.folder / "out.jsonl")
    exported = (first.folder / "out.jsonl").read_text()
    assert len(exported.splitlines()) == 4
    for added in (4, 0):
        outcome = json.loads(second.run("import", first.folder / "out.jsonl", "--json"))
        assert outcome == {"added": added, "known": 4 - added, "unwritten": 0, "refused": []}
    assert second.run("export") == exported
    assert json.loads(first.run("import", first.folder / "out.jsonl", "--json"))["known"] == 4
    plain = [[{**row, "created_at": None, "boxes": None} for row in house.rows()] for house in (first, second)]
    assert plain[0] == plain[1]


def test_an_export_can_be_of_one_vehicle(house: House) -> None:
    house.take(line(1), line(2, generation=2), line(3))
    (only,) = house.run("export", "--vehicle", "V-002").splitlines()
    assert json.loads(only)["set_key"] == set_ref(2).set_key
    assert house.run("export", "--fleet", "nobodys") == ""


def test_lines_come_from_standard_input(house: House) -> None:
    assert house.run("import", "-", input=json.dumps(line(1)) + "\n") == "1 added, 0 known already, 0 refused\n"


def test_files_that_cannot_be_used_are_named(house: House, tmp_path: Path) -> None:
    with pytest.raises(ReviewRefused, match=r"none\.jsonl cannot be read: No such file"):
        house.run("import", tmp_path / "none.jsonl")
    with pytest.raises(ReviewRefused, match="cannot be written: Is a directory"):
        house.run("export", tmp_path)


def test_a_decision_lies_in_the_store_word_for_word(house: House) -> None:
    house.run("add", KEY, "--label", "clear", "--reason", "dirt", "--reviewer", "ana")
    house.take(line(2, generation=2, boxes=[{"photo": "a.jpg", "box": [0.1, 0.2, 0.3, 0.4]}]))
    assert sorted(path.read_text() for path in house.objects()) == sorted(house.run("export").splitlines())


def test_a_store_that_takes_nothing_loses_no_decision(house: House) -> None:
    """It is recorded, the person is told, and the same command again makes up for it."""
    (house.folder / "photos" / "reviews").write_text("in the way")
    arguments = ["add", KEY, "--label", "clear", "--reason", "dirt", "--json"]
    result = CliRunner().invoke(review_app, arguments, env=house.environment)
    assert result.exit_code == 0
    assert "the decision is recorded in the database, but not written to the store: reviews/" in result.stderr
    told = json.loads(result.stdout)
    assert (told["added"], told["unwritten"]) == (True, 1)
    (house.folder / "photos" / "reviews").unlink()
    again = json.loads(house.run(*arguments))
    assert (again["added"], again["unwritten"]) == (False, 0)
    assert len(house.objects()) == len(house.rows()) == 1


def test_nor_does_it_lose_those_of_a_file(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.review_objects.BATCH", 2)
    (house.folder / "photos" / "reviews").write_text("in the way")
    lines = [line(1, key=f"k{number}") for number in range(5)]
    assert house.take(*lines) == {"added": 5, "known": 0, "unwritten": 5, "refused": []}
    (house.folder / "photos" / "reviews").unlink()
    assert house.take(*lines) == {"added": 0, "known": 5, "unwritten": 0, "refused": []}
    assert len(house.objects()) == len(house.rows()) == 5


def test_what_lies_in_the_store_comes_back(
    make_house: MakeHouse, sqlite_url: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a database that has none of it, in the order of decision; the second time nothing changes."""
    monkeypatch.setattr("workers.review_objects.BATCH", 3)
    lost, found = make_house(postgresql_url, "lost"), make_house(sqlite_url, "found")
    for label in ("clear", "damaged", "clear", "damaged"):
        lost.run("add", KEY, "--label", label, "--reason", "dirt", "--reviewer", "ana")
    lost.take(*(line(2, key=f"k{number}", reason_code=f"r{number}", generation=2) for number in range(9)))
    shutil.copytree(lost.folder / "photos" / "reviews", found.folder / "photos" / "reviews")
    for added in (13, 0):
        assert json.loads(found.run("restore", "--json")) == {"added": added, "known": 13 - added, "refused": []}
    assert found.run("export") == lost.run("export")
    decisions = [
        {row.set_key: row.label for row in queries.current_verdicts(house.sessions)} for house in (lost, found)
    ]
    assert decisions[0] == decisions[1]
    assert found.run("restore") == "0 added, 13 known already, 0 refused\n"


def test_objects_that_are_no_decisions_are_named(house: House) -> None:
    house.take(line(1, key="k"))
    (good,) = house.objects()
    good.with_name("1" * 64 + ".json").write_text("torn")
    outcome = json.loads(house.run("restore", "--json", code=1))
    assert (outcome["added"], outcome["known"]) == (0, 1)
    assert [item["object"].rpartition("/")[2] for item in outcome["refused"]] == ["1" * 64 + ".json"]
    assert "it is not JSON" in outcome["refused"][0]["problem"]


def test_of_two_lines_of_one_import_the_later_counts(house: House) -> None:
    house.take(line(1, label="clear", key="a"), line(1, label="damaged", key="b"), line(1, label="clear", key="c"))
    moments = [row["created_at"] for row in house.rows()]
    assert moments == sorted(set(moments), key=str)
    assert len(set(moments)) == 3


def test_many_lines_go_in_batch_by_batch(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.review.BATCH", 2)
    monkeypatch.setattr("db.queries.review_history.PAGE", 2)
    outcome = house.take(*(line(1, key=f"k{n}") for n in range(5)), "x", line(1, key="k9"), code=1)
    assert (outcome["added"], [item["line"] for item in outcome["refused"]]) == (6, [6])
    assert len(house.run("export").splitlines()) == 6
