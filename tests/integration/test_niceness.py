"""`nice` counts: a process is as nice to other sessions as it was asked to be, and its decoders are weighed with it."""

import os
from pathlib import Path

import pytest

from core.photos.sandbox.process import DecodeLimits, DecodeProcess
from tests.integration.deployment import WALKAROUND, deployment, wait_until

ENABLED = Path("/proc/sys/kernel/sched_autogroup_enabled")


def autogroup(pid: int) -> str:
    """As Linux tells it: `/autogroup-12 nice 0`."""
    return Path(f"/proc/{pid}/autogroup").read_text()


@pytest.mark.skipif(
    not ENABLED.exists() or ENABLED.read_text() != "1\n", reason="this Linux does not weigh sessions against each other"
)
def test_a_service_is_as_nice_as_it_was_asked_to_be(tmp_path: Path, sqlite_url: str) -> None:
    with deployment(tmp_path, sqlite_url, store=tmp_path) as system:
        for name, program in {"nice": ("nice", "-n", "7", *WALKAROUND), "ordinary": WALKAROUND}.items():
            system.start(name, "beat", program=program)
        nice, ordinary = (system.processes[name].pid for name in ("nice", "ordinary"))
        wait_until(lambda: "nice 7" in autogroup(nice), 60, lambda: autogroup(nice) + system.log("nice"))
        wait_until(lambda: "beat:" in system.log("ordinary").lower(), 60, lambda: system.log("ordinary"))
        assert "nice 0" in autogroup(ordinary)


def test_a_decoder_is_of_its_parents_session_but_hears_no_ctrl_c() -> None:
    decoder = DecodeProcess("core.photos.decode:load_photo", DecodeLimits(1 << 30, 30))
    try:
        assert os.getsid(decoder.pid) == os.getsid(0)
        assert os.getpgid(decoder.pid) != os.getpgid(0)
    finally:
        decoder.kill()
