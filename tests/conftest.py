"""What all tests share."""

import signal

import pytest

pytest_plugins = ["tests.databases", "tests.house", "tests.servers"]


def pytest_configure(config: pytest.Config) -> None:
    """Started in the background, by nohup or a shell without job control, we were told to ignore Ctrl-C.

    What tests start would inherit that, and the tests that press Ctrl-C would wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
