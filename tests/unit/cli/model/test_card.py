"""`walkaround model info | verify`, through the application itself."""

import pytest

from core.errors import ModelUnusable
from core.model.card import TrainingSource
from tests.unit.cli.model.test_registry import MakeArtefact, metrics, run
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture


def test_info_shows_the_whole_card(make_artefact: MakeArtefact) -> None:  # noqa: F811
    source = TrainingSource(source="photos [web]", licence="CC BY 4.0", photos=1200, damaged=600)
    shown = run("info", make_artefact(metrics=metrics(0.875), training=(source,)).folder)
    for part in ("small", "0.875 (0.000–1.000)", "photos [web]", "CC BY 4.0", "1,200"):
        assert part in shown


def test_verify_says_yes_or_why_not(make_artefact: MakeArtefact) -> None:  # noqa: F811
    made = make_artefact()
    assert "matches its card" in run("verify", made.folder)
    assert run("verify", made.folder, "--json")["parameters"] == 16
    made.weights_path.write_bytes(b"cut short")
    with pytest.raises(ModelUnusable, match="does not match its card"):
        run("verify", made.folder)
