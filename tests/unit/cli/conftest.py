"""Commands run in the tests' own process."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool


@pytest.fixture(autouse=True)
def _closed_connections() -> Iterator[None]:
    """Close what a command's process would close by ending."""
    opened: list[Any] = []

    def keep(connection: Any, _: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", keep)
    yield
    event.remove(Pool, "connect", keep)
    for connection in opened:
        with suppress(Exception):
            connection.close()
