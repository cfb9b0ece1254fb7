"""py-spy's stacks are summed by where their time went."""

from tests.benchmarks.profiled import sums


def test_the_most_telling_frame_decides() -> None:
    raw = (
        "main (cli/main.py:1);run (celery/app.py:2);finish (db/transactions/verdicts.py:9) 3\n"
        "main (cli/main.py:1);run (celery/app.py:2) 2\n"
        "main (cli/main.py:1);compose (core/model/heatmap.py:4) 5\n"
        "Thread._bootstrap (threading.py:1002);something else 7\n"
    )
    assert sums(raw) == {
        "SQL": 3,
        "Celery and the broker": 2,
        "heat maps, pooling, calibration": 5,
        "other": 7,
    }


def test_who_waits_is_not_busy() -> None:
    assert sums("run (celery/app.py:2);Condition.wait (threading.py:331) 9\n") == {}
