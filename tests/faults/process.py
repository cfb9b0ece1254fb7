"""Our own processes, as the fault plan starts them: the real command line, with another classifier and nothing else.

`python -m tests.faults.process worker ...` is `walkaround worker ...`. With `nursery` it loads everything once and then
forks a process for each line of JSON on its standard input: it saves seconds for each of some hundred processes.
"""

import gc
import json
import os
import signal
import sys
from typing import NoReturn

if bug := os.environ.get("FAULTS_PLANTED"):
    from tests.faults.planted import plant

    plant(bug)

from cli.main import main as walkaround
from tests.faults import classifier
from workers import bootstrap


def main() -> None:
    """Run the command line, or the nursery."""
    bootstrap.make_scoring = classifier.make_scoring
    if sys.argv[1:] == ["nursery"]:
        _preload()
        _serve()
    walkaround()


def _preload() -> None:
    import celery.apps.beat
    import celery.apps.worker
    import celery.concurrency.thread
    import kombu.transport.redis
    import psycopg
    import redbeat

    import core.storage.s3
    import workers.consumer
    import workers.tasks

    assert all((celery, kombu, psycopg, redbeat, core, workers))
    gc.freeze()


def _serve() -> None:
    """Answer each request with the new process's id; returns only in the new processes, and ends with its input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
            return
        print(pid, flush=True)  # noqa: T201  read by who asked
    _end()


def _become(request: dict[str, object]) -> None:
    """Be a process of one's own: session, output, environment, arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for theirs, ours in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(theirs, ours)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments


def _end() -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
