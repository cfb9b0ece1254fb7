"""What beat sends is dropped when nobody took it for a while: only the newest matters."""

from datetime import timedelta

from workers.schedule import EXPIRES, schedule


def test_every_message_expires_and_none_before_the_next_one_is_sent() -> None:
    for every in (timedelta(seconds=5), timedelta(minutes=1), timedelta(hours=1)):
        for entry in schedule(every).values():
            expires = timedelta(seconds=entry["options"]["expires"])
            assert expires >= max(EXPIRES, 2 * entry["schedule"])
            assert expires <= max(EXPIRES, 2 * every)
