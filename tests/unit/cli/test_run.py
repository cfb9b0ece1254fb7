"""`walkaround worker` and `walkaround beat`: what is refused before anything starts, and what a worker is called."""

import os

import pytest

from cli.run import _node_name, worker
from core.errors import SettingsInvalid


def test_a_queue_that_there_is_not() -> None:
    with pytest.raises(SettingsInvalid, match="--queues: there is no queue clasify; there are"):
        worker(queues="intake,clasify")


def test_two_workers_of_one_machine_have_two_names() -> None:
    name, _, host = _node_name("classify,rescore").partition("@")
    assert name == f"classify+rescore-{os.getpid()}"
    assert host
