"""An operator who comes late: what only a person can mend lasts for 35 minutes, and nothing is given up for it."""

from collections.abc import Callable

import pytest

from tests.faults.fleet import make_returns
from tests.faults.seeds import seeds
from tests.faults.store_proxy import EXPIRED
from tests.faults.system import System

SETS = 4
# So often a set is tried in 35 minutes: the pauses grow from 5 seconds to 5 minutes (`workers.retries.retry_pause`).
TRIES = 13


@pytest.mark.scenario("24 operator 35 minutes late: credentials expired, a permission missing")
@seeds()
def test_the_operator_is_late(run: System, seed: int) -> None:
    store = run.through_faulty_store()
    store.kinds = (EXPIRED,)
    run.start_all()
    returns = make_returns(run.rng, 2 * SETS)

    def expire(share: float) -> None:
        store.share = share

    expire(1.0)
    run.upload(returns[:SETS])
    _wait_in_vain(run, "credentials expired", mend=lambda: expire(0.0))
    run.execute("REVOKE INSERT ON prediction FROM walkaround_worker")
    run.upload(returns[SETS:])
    _wait_in_vain(
        run, "permission missing", mend=lambda: run.execute("GRANT INSERT ON prediction TO walkaround_worker")
    )
    findings = run.finish_well()
    assert findings.verdicts == 2 * SETS
    lines = [line for line in run.log_lines("worker") if line.get("cause") == "operator"]
    assert 0 < len(lines) < 2 * SETS * TRIES, "one line a minute, not one a try"
    assert not any("exception" in line for line in lines)


def _wait_in_vain(run: System, fault: str, mend: Callable[[], None]) -> None:
    """Let every set be tried for 35 minutes, without the pauses between the tries; then mend the cause."""
    run.fault(fault)
    for tries in range(1, TRIES + 1):
        run.wait_until(lambda: run.count(f"SELECT count(*) FROM work WHERE failures >= {tries}") >= SETS)  # noqa: B023
        run.execute("UPDATE work SET not_before = now(), last_published = NULL WHERE state = 'pending'")
    assert run.count("SELECT count(*) FROM work WHERE state = 'dead'") == 0
    mend()
    run.wait_until(lambda: run.count("SELECT count(*) FROM work WHERE state <> 'done'") == 0)
    run.execute("UPDATE work SET failures = 0")
