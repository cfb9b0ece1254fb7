"""What a decoder that a hostile photo took over can still do, on hosts that offer more and less; real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.photos.sandbox.layers import Layer
from core.photos.sandbox.process import DecodeLimits, DecodeProcess

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="only Linux has these layers")

ROOT = Path(__file__).parents[5]
HERE = "tests.integration.core.photos.sandbox"


def in_bare_container(refused: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, without any capability and with these system calls refused."""
    command = [sys.executable, "-m", f"{HERE}.bare_container", refused, sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def offered() -> frozenset[Layer]:
    """The layers that hold here, with nothing refused."""
    process = DecodeProcess("core.photos.decode:load_photo", DecodeLimits(1 << 30, 30))
    try:
        return process.layers
    finally:
        process.kill()


NO_NETWORK, NO_LANDLOCK = "unshare", "unshare,landlock_create_ruleset"
FILES = {"passwd", "folder"}
MEMORY_AS_FILES = {"mem", "environ", "maps"}


@pytest.mark.parametrize(
    ("refused", "lacking", "memory", "reached"),
    [
        ("", set(), "hidden", set()),
        (NO_NETWORK, {Layer.NETWORK}, "hidden", set()),
        (NO_NETWORK, {Layer.NETWORK}, "visible", set()),
        (NO_LANDLOCK, {Layer.NETWORK, Layer.LANDLOCK}, "hidden", FILES),
        (NO_LANDLOCK, {Layer.NETWORK, Layer.LANDLOCK}, "visible", FILES | MEMORY_AS_FILES),  # by seccomp alone
    ],
)
def test_what_a_decoder_taken_over_reaches(
    refused: str, lacking: set[Layer], memory: str, reached: set[str], offered: frozenset[Layer]
) -> None:
    assert Layer.SECCOMP in offered, "the tests need libseccomp, as apt does"
    if Layer.LANDLOCK not in offered and Layer.LANDLOCK not in lacking:
        pytest.skip("no Landlock in this kernel")
    run = in_bare_container(refused, "-m", f"{HERE}.takeover", memory)
    assert run.returncode == 0, run.stderr
    outcome = json.loads(run.stdout)
    assert outcome["hidden"]
    assert set(outcome["layers"]) == offered - lacking
    assert set(outcome["done"]) == reached
    assert outcome["secret"] == "the-database-password!!"


def test_a_filter_that_cannot_be_loaded_is_an_error() -> None:
    """Outside, `seccomp` and the older call for the same are refused: no decoder may run without its filter then."""
    run = in_bare_container("seccomp", "-m", f"{HERE}.takeover")
    assert run.returncode != 0
    assert "DecoderUnavailable: a decoding process did not start" in run.stderr


@pytest.mark.parametrize("hidden", [True, False])
def test_hidden_memory_is_closed_to_every_process_of_the_user(hidden: bool) -> None:
    """The layer alone: the process that attacks is no decoder, and nothing else keeps it away (but from `ptrace`)."""
    script = f"""
import ctypes, subprocess, sys
from core.photos.sandbox.layers import hide_memory, memory_is_hidden
secret = ctypes.create_string_buffer(b"the-database-password!!")
if {hidden}:
    hide_memory()
assert memory_is_hidden() is {hidden}
attack = f"import os; from {HERE}.takeover import attack; print(*attack(os.getppid(), {{ctypes.addressof(secret)}}))"
sys.exit(subprocess.call([sys.executable, "-c", attack]))
"""
    run = in_bare_container("ptrace", "-c", script)
    assert run.returncode == 0, run.stderr
    assert bool({"read", "write", "mem", "environ", "maps"}.intersection(run.stdout.split())) is not hidden


def test_a_decoder_has_one_thread_when_its_layers_close() -> None:
    """Landlock and the rights that were dropped hold for the thread that asked for them."""
    process = DecodeProcess("core.photos.decode:load_photo", DecodeLimits(1 << 30, 30))
    try:
        assert process.layers
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert status["Threads"] == "1"
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    finally:
        process.kill()
