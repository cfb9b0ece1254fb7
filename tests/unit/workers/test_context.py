"""A message is trusted in nothing but its three ids."""

import pytest

from core.errors import InvalidEvent
from workers.context import work_key


@pytest.mark.parametrize(
    "message", [(), (1, 2), (1, 2, 3, 4), ("1", 2, 3), (True, 2, 3), (1, 2, -3), (1, 2, 2**63), (1.0, 2, 3)]
)
def test_a_message_is_three_ids_and_nothing_else(message: tuple[object, ...]) -> None:
    with pytest.raises(InvalidEvent):
        work_key(*message)
