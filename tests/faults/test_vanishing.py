"""Any object may vanish at any time, by anyone: no verdict gets milder, and the audit names what is gone."""

import pytest

from tests.faults.fleet import make_returns
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15


def notice_absences(run: System) -> int:
    """Scan once more; how many photos are known to be gone. A photo is gone after two listings without it."""
    run.scan_again()
    return sum(row["gone_reason"] == "vanished" for row in run.tables()["photo"] if not row["superseded"])


@pytest.mark.scenario("25 any object vanishes at any time, by anyone")
@seeds(quick=True)
def test_objects_vanish(run: System, seed: int) -> None:
    run.behave(pace=0.1)
    run.start_all(("worker-1", "worker-2"))
    returns = make_returns(run.rng, SETS)

    def take_some(number: int) -> None:
        """Of the returns that a marker closed, at any moment."""
        item = run.rng.choice([item for item in returns[: number + 1] if not item.has_manifest] or [None])
        left = [name for name in item.photos if item.set_key + name not in run.ledger.vanished] if item else []
        if item and left and run.rng.random() < 0.5:
            run.take_away(item.set_key + run.rng.choice(left))

    run.upload(returns, take_some)
    run.finish()
    for item in run.rng.sample(returns, 8):  # judged by now: photos, manifests and markers
        keys = [key for key, _ in item.objects() if key not in run.ledger.vanished]
        for key in run.rng.sample(keys, run.rng.randint(1, len(keys))):
            run.take_away(key)
            if run.rng.random() < 0.2:
                run.scan_again()
    # One that nobody had seen would be a late photo: without its marker the set would wait for its quiet period.
    seen = {row["object_key"] for row in run.tables()["photo"]}
    for key in run.rng.sample(sorted(run.ledger.vanished.keys() & seen), 3):
        run.put_back(key)
    run.kill("worker-1")
    for _ in range(2):
        notice_absences(run)
    findings = run.finish()
    assert findings.kept, f"{findings}\n{run.story()}"
    gone = {
        row["object_key"] for row in run.tables()["photo"] if row["gone_reason"] is not None and not row["superseded"]
    }
    assert gone, "photos were taken away that somebody had seen"
    audit = run.audit()
    assert (audit["passed"], audit["vanished"]) == (False, len(gone))
    assert {finding.partition(":")[0] for finding in audit["findings"]} == gone
