"""Commands are imported when they run, and are listed with their help all the same."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.lazy import lazy_typer

MODULE = '''
"""A module of commands."""
import json

def greet(name: str, loud: bool = False) -> None:
    """Greet a person.

    And say no more.
    """
    print(f"hello {name.upper() if loud else name}")
'''


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[typer.Typer]:
    (tmp_path / "some_commands.py").write_text(MODULE)
    (tmp_path / "broken_commands.py").write_text('import nowhere\ndef fail() -> None:\n    """Fail."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield lazy_typer({"greet": "some_commands:greet", "fail": "broken_commands:fail"}, help="Commands.")
    sys.modules.pop("some_commands", None)


def test_a_list_of_commands_shows_their_help_and_imports_none(application: typer.Typer) -> None:
    result = CliRunner().invoke(application, ["--help"])
    assert result.exit_code == 0
    assert "Greet a person." in result.output
    assert "Fail." in result.output
    assert "some_commands" not in sys.modules


def test_a_command_imports_its_own_module_only(application: typer.Typer) -> None:
    result = CliRunner().invoke(application, ["greet", "ada", "--loud"])
    assert (result.exit_code, result.stdout) == (0, "hello ADA\n")
    assert "broken_commands" not in sys.modules


def test_a_commands_own_help_has_its_options(application: typer.Typer) -> None:
    output = CliRunner().invoke(application, ["greet", "--help"]).output
    assert "--loud" in output
    assert "And say no more." in output


def test_a_word_that_is_no_command_is_answered_with_the_nearest_one(application: typer.Typer) -> None:
    result = CliRunner().invoke(application, ["gret"])
    assert result.exit_code == 2
    assert "Did you mean 'greet'?" in result.output
