"""The parent's end of one decoding process."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from core.domain import LoadedPhoto, Quality, ViewPlan
from core.errors import DecoderUnavailable, PhotoRefused, Refusal
from core.photos.formats import Format
from core.photos.limits import MAX_PIXELS, MAX_SHARPNESS, YEARS
from core.photos.sandbox.child import receive_frame, send_frames
from core.photos.sandbox.layers import Layer, hide_memory

_START_TIMEOUT_S = 60.0
_PACKAGES = Path(__file__).parents[3]
_MAX_DESCRIPTION = 1 << 16
_MAX_DETAIL = 200


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one photo may cost: the process's whole memory in bytes, and seconds of CPU."""

    memory_bytes: int
    timeout_s: float

    @property
    def patience_s(self) -> float:
        """Seconds of wall clock: more than of CPU, so that no good photo is refused because a machine is busy."""
        return 3 * self.timeout_s


class ProcessLost(Exception):
    """The process died, hung, ran out of memory or answered nonsense; `reason` is its photo's refusal."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class DecodeProcess:
    """A child that decodes one photo at a time; started by `subprocess`, so it imports nothing of the parent's main.

    It has its own process group, so that Ctrl-C at a terminal reaches the parent only, in the parent's session, so that
    Linux schedules it with the parent (see `cli.run`); its environment holds no secrets.
    It dies with the thread that started it.
    """

    def __init__(self, decoder: str, limits: DecodeLimits) -> None:
        self._limits = limits
        self._layers: frozenset[Layer] | None = None
        hide_memory()
        self._connection, theirs = socket.socketpair()
        self._photo = os.fdopen(os.memfd_create("photo"), "wb")
        with theirs:
            arguments = [
                str(theirs.fileno()),
                str(self._photo.fileno()),
                str(os.getpid()),
                decoder,
                str(limits.memory_bytes),
                str(limits.timeout_s),
            ]
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-P", "-m", "core.photos.sandbox.child", *arguments],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), self._photo.fileno()],
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def layers(self) -> frozenset[Layer]:
        """The layers that keep this process from everything but its photo. Raises `DecoderUnavailable`."""
        return self._await_start()

    def load(self, data: bytes, plan: ViewPlan) -> LoadedPhoto:
        """Decode one photo. Raises `PhotoRefused`, `ProcessLost` (the process is gone then), `DecoderUnavailable`."""
        self._await_start()
        self._connection.settimeout(self._limits.patience_s)
        try:
            self._write_photo(data)
            send_frames(self._connection, json.dumps({"bytes": len(data), "plan": asdict(plan)}).encode())
            answer = receive_frame(self._connection, _MAX_DESCRIPTION)
            photo = parse_answer(answer, receive_frame(self._connection, _expected_bytes(plan)), plan)
        except TimeoutError as error:
            self.kill()
            raise ProcessLost(Refusal.DECODER_TIMEOUT, f"no answer within {self._limits.patience_s:g} s") from error
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            code = self.kill()
            reason = Refusal.DECODER_TIMEOUT if code == -signal.SIGXCPU else Refusal.DECODER_CRASHED
            raise ProcessLost(reason, _ending(code)) from error
        except PhotoRefused as refused:
            if refused.reason is Refusal.DECODER_MEMORY:  # perhaps for what earlier photos left behind
                self.kill()
                raise ProcessLost(refused.reason, refused.detail) from refused
            raise
        return photo

    def kill(self) -> int:
        """End the process, whatever it is doing; its exit code, or minus the signal that ended it."""
        self._process.kill()
        code = self._process.wait()
        self._photo.close()
        self._connection.close()  # last: another thread may still wait for an answer
        return code

    def _write_photo(self, data: bytes) -> None:
        """Write the photo into the memory that the child reads, over the photo before."""
        self._photo.seek(0)
        self._photo.write(data)
        self._photo.truncate()

    def _await_start(self) -> frozenset[Layer]:
        if self._layers is not None:
            return self._layers
        self._connection.settimeout(_START_TIMEOUT_S)
        try:
            started = json.loads(receive_frame(self._connection, _MAX_DESCRIPTION))
        except (OSError, EOFError, ValueError) as error:
            raise DecoderUnavailable(
                f"a decoding process did not start ({_ending(self.kill())}); its own message says why: perhaps "
                f"WALKAROUND_DECODE_MEMORY_MB, now {self._limits.memory_bytes >> 20}, is too small"
            ) from error
        self._layers = frozenset(map(Layer, started["layers"]))
        return self._layers


def _environment() -> dict[str, str]:
    """Enough to start Python; one thread, because each would reserve memory for itself."""
    inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {"PYTHONPATH": str(_PACKAGES), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _expected_bytes(plan: ViewPlan) -> int:
    return plan.count * plan.size * plan.size * 3


_Share = Annotated[float, Field(ge=0, le=1)]


class _Quality(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    sharpness: float = Field(ge=0, le=MAX_SHARPNESS)
    brightness: _Share
    dark_share: _Share
    bright_share: _Share
    contrast: _Share


class _Description(BaseModel):
    """All that a process may say of a photo; what no photo can have is refused before anything is stored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    format: Format
    taken_at: AwareDatetime | None
    quality: _Quality
    phash: str = Field(pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.width * self.height > MAX_PIXELS:
            raise ValueError("more pixels than are decoded")
        if self.taken_at is not None and self.taken_at.year not in YEARS:
            raise ValueError("not a year of photos")
        return self


class _Refused(BaseModel):
    model_config = ConfigDict(extra="forbid")

    refusal: Refusal
    detail: str


_ANSWER: TypeAdapter[_Description | _Refused] = TypeAdapter(_Description | _Refused)


def parse_answer(answer: bytes, views: bytes, plan: ViewPlan) -> LoadedPhoto:
    """Read a process's answer: JSON and the views' pixels. Everything but the pixels is checked.

    Raises `PhotoRefused` if it is a refusal, `ValueError` if it is nothing that decoding a photo can give.
    """
    described = _ANSWER.validate_json(answer)
    if isinstance(described, _Refused):
        raise PhotoRefused(described.refusal, described.detail[:_MAX_DETAIL])
    return LoadedPhoto(
        views=np.frombuffer(views, np.uint8).reshape(plan.count, plan.size, plan.size, 3),
        width=described.width,
        height=described.height,
        format=described.format,
        taken_at=described.taken_at,
        quality=Quality(**described.quality.model_dump()),
        phash=described.phash,
    )


def _ending(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
