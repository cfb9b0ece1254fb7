"""The arithmetic that scores are computed in, whether the processor has it, and the identity that follows."""

from pathlib import Path
from typing import Literal

from core.canonical import sha256_of
from core.domain import ModelIdentity
from core.model.artefact import Artefact
from core.model.quantised import read_quantised_card

Precision = Literal["auto", "float32", "bfloat16", "int8"]
_CPUINFO = Path("/proc/cpuinfo")


def has_bfloat16(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether the processor computes in bfloat16.

    Where it only imitates it, TensorFlow is slower than in float32: 1.3 times in a forward pass and 16 times in a step
    of training (448 pixels, AMD EPYC with AVX2).
    """
    return cpuinfo.exists() and any(flag in cpuinfo.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def identity_in(artefact: Artefact, precision: Precision) -> ModelIdentity:
    """The model as the database knows it: bfloat16 and int8 move probabilities, so that a verdict names them.

    `auto` is float32, whose identity is the card's own. Raises `ModelUnusable` where there is no int8 graph.
    """
    identity = artefact.card.identity
    if precision in ("auto", "float32"):
        return identity
    arithmetic = {"preprocess_sha256": identity.preprocess_sha256, "precision": precision}
    if precision == "int8":
        card = read_quantised_card(artefact)
        arithmetic |= {"graph_sha256": card.graph_sha256, "constants_sha256": card.constants_sha256}
    return ModelIdentity(f"{identity.name}+{precision}", identity.weights_sha256, sha256_of(arithmetic))
