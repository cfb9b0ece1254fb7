"""bfloat16 and int8 answer otherwise than float32, and the database tells them apart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact
from core.model.precision import Precision, has_bfloat16, identity_in
from core.model.quantised import QUANTISED_CARD_FILE

EXACT: tuple[Literal["auto", "float32"], ...] = ("auto", "float32")


def quantised_card(artefact: Artefact, constants: str) -> None:
    said = {
        "created_at": "2026-01-02T00:00:00Z",
        "weights_sha256": artefact.card.weights_sha256,
        "graph_sha256": "1" * 64,
        "constants_sha256": constants * 64,
        "views": 1,
        "made_by": "tests",
    }
    (artefact.folder / QUANTISED_CARD_FILE).write_text(json.dumps(said))


@pytest.mark.parametrize("precision", EXACT)
def test_float32_is_the_model_of_the_card(make_artefact: Callable[..., Artefact], precision: Precision) -> None:
    artefact = make_artefact()
    assert identity_in(artefact, precision) == artefact.card.identity


def test_each_arithmetic_is_a_model_of_its_own(make_artefact: Callable[..., Artefact]) -> None:
    artefact = make_artefact()
    quantised_card(artefact, "2")
    found = [identity_in(artefact, precision) for precision in ("float32", "bfloat16", "int8")]
    assert [identity.name for identity in found] == ["small", "small+bfloat16", "small+int8"]
    assert len({identity.preprocess_sha256 for identity in found}) == 3
    assert {identity.weights_sha256 for identity in found} == {artefact.card.weights_sha256}


def test_quantised_anew_is_another_model(make_artefact: Callable[..., Artefact]) -> None:
    artefact = make_artefact()
    quantised_card(artefact, "2")
    before = identity_in(artefact, "int8")
    quantised_card(artefact, "3")
    assert not identity_in(artefact, "int8").scores_as(before)


def test_another_calibration_is_another_model_in_any_arithmetic(make_artefact: Callable[..., Artefact]) -> None:
    artefact = make_artefact()
    warmer = replace(artefact, card=artefact.card.model_copy(update={"temperature": 3.0}))
    assert not identity_in(warmer, "bfloat16").scores_as(identity_in(artefact, "bfloat16"))


def test_int8_without_a_graph_says_how_to_make_one(make_artefact: Callable[..., Artefact]) -> None:
    with pytest.raises(ModelUnusable, match="walkaround model quantise"):
        identity_in(make_artefact(), "int8")


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("fpu sse avx2 fma", False),
        ("fpu avx512f avx512_vnni", False),
        ("fpu avx512f avx512_bf16", True),
        ("fpu amx_bf16 amx_tile", True),
    ],
)
def test_a_processor_says_whether_it_has_bfloat16(tmp_path: Path, flags: str, has: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")
    assert has_bfloat16(cpuinfo) is has


def test_a_system_without_cpuinfo_computes_in_float32(tmp_path: Path) -> None:
    assert not has_bfloat16(tmp_path / "cpuinfo")
