"""Frames between a worker and its decoders; what the process does is in tests/integration/core/photos/sandbox."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.photos.sandbox.child import receive_frame, send_frames

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_frames_arrive_as_they_were_sent(frames: list[bytes]) -> None:
    one, other = socket.socketpair()
    with one, other:
        send_frames(one, *frames)
        assert [receive_frame(other, 2000) for _ in frames] == frames


def test_a_frame_that_is_too_long_is_refused_before_it_is_read(ends: Ends) -> None:
    one, other = ends
    send_frames(one, b"x" * 100)
    with pytest.raises(ValueError, match="a frame of 100 bytes"):
        receive_frame(other, 99)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x09half"])
def test_an_end_in_the_middle_is_noticed(ends: Ends, sent: bytes) -> None:
    one, other = ends
    one.sendall(sent)
    one.close()
    with pytest.raises(EOFError):
        receive_frame(other, 100)
