"""Starts, freezes and kills our own processes, from the test's side."""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """A running process, held by a descriptor so that its id cannot come to mean another one."""

    pid: int
    handle: int

    def kill_a_child(self, rng: random.Random) -> bool:
        """kill -9 one of the processes that this one started, if it has any."""
        children = [
            int(pid) for file in Path(f"/proc/{self.pid}/task").glob("*/children") for pid in file.read_text().split()
        ]
        if children:
            os.kill(rng.choice(children), signal.SIGKILL)
        return bool(children)

    def send(self, number: signal.Signals) -> None:
        """Signal the process and whatever it started in its own group."""
        if not self.is_alive:
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # just forked: it leads no group yet, and has started nothing
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, number)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return not select.select([self.handle], [], [], 0)[0]

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(select.select([self.handle], [], [], seconds)[0])

    def exit_code(self) -> int:
        """How a process that `start_fresh` started and that has ended ended; negative for a signal's number."""
        status = os.waitid(os.P_PIDFD, self.handle, os.WEXITED | os.WNOWAIT)
        assert status is not None
        return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.send(signal.SIGKILL)
        assert self.wait(30), f"process {self.pid} outlives SIGKILL"
        os.close(self.handle)


class Nursery:
    """Forks processes of ours from one that has everything loaded; `bug` is planted in all of them."""

    def __init__(self, bug: str | None = None) -> None:
        environment = {"OPENBLAS_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
        if bug is not None:
            environment["FAULTS_PLANTED"] = bug
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process", "nursery"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> Child:
        """Start one process with its output appended to `log`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"arguments": arguments, "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        return Child(pid, os.pidfd_open(pid))

    def close(self) -> None:
        """End the nursery; its children are ended by whoever had them started."""
        self._process.communicate()


def start_fresh(module: str, arguments: list[str], environment: dict[str, str], log: Path, folder: Path) -> Child:
    """Start a process from a new interpreter, with the code in `folder` or a library of its own."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _UNBURIED.append(process)
    return Child(process.pid, os.pidfd_open(process.pid))


_UNBURIED: list[subprocess.Popen[bytes]] = []


def bury() -> None:
    """Collect the exit codes of processes that `start_fresh` started."""
    deadline = time.monotonic() + 10
    for process in _UNBURIED:
        process.wait(max(0.1, deadline - time.monotonic()))
    _UNBURIED.clear()
