"""Which model a `walkaround model` command takes: the one at the address, else WALKAROUND_MODEL's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.model.options import open_addressed
from core.errors import ModelUnusable
from core.model.artefact import Artefact
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture


def test_an_address_goes_before_the_setting(
    make_artefact: Callable[..., Artefact],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named, configured = make_artefact("named"), make_artefact("configured")
    monkeypatch.setenv("WALKAROUND_MODEL", str(configured.folder))
    assert open_addressed(str(named.folder)).card.name == "named"
    assert open_addressed(None).card.name == "configured"


def test_an_address_of_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="is not a whole model artefact"):
        open_addressed(str(tmp_path / "none"))
