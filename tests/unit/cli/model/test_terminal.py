"""What is done is said on standard output in one line; how far the work is, on standard error."""

import pytest

from cli.model.terminal import confirm, progress_bars


def test_a_sentence_keeps_its_brackets_and_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    confirm("the model in /models/[red] matches its card")
    assert capsys.readouterr().out == "✓ the model in /models/[red] matches its card\n"


def test_progress_leaves_standard_output_to_json(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as bars:
        bars.advance(bars.add_task("photos", total=3), 2)
    output = capsys.readouterr()
    assert not output.out
    assert "photos" in output.err
    assert "2/3" in output.err
