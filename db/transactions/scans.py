"""Scans of the store: started once even if many processes ask, marked as alive while they run, recorded with counts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.dialect import lock_until_commit
from db.models import ScanRun
from db.session import snapshot, transaction


@dataclass(frozen=True, slots=True)
class StartedScan:
    """A scan that began, and when the one before it ended, if there was one."""

    id: int
    since: datetime | None


@transaction
def start_scan(session: Session, kind: str, bucket: str, prefix: str, now: datetime) -> int:
    """Record that a scan of `prefix` began; its id."""
    return _start(session, kind, bucket, prefix, now)


@transaction
def start_due_scan(
    session: Session,
    kind: str,
    bucket: str,
    prefix: str,
    now: datetime,
    is_due: Callable[[datetime | None, datetime | None], bool],
) -> StartedScan | None:
    """The same if `is_due(last sign of one, end of the last one)`, else None: of several processes one begins."""
    lock_until_commit(session, f"scan {kind} {bucket}")
    last_sign, last_finished = _last_scan(session, kind, bucket)
    if not is_due(last_sign, last_finished):
        return None
    return StartedScan(_start(session, kind, bucket, prefix, now), last_finished)


@transaction
def keep_scan(session: Session, scan_id: int, now: datetime) -> None:
    """Record that a scan goes on."""
    session.get_one(ScanRun, scan_id).alive_at = now


@transaction
def finish_scan(session: Session, scan_id: int, counts: dict[str, int], now: datetime) -> None:
    """Record that a scan ended: `listed`, `missing` and `repaired` in their columns, other counts together."""
    run = session.get_one(ScanRun, scan_id)
    others = dict(counts)
    run.listed, run.missing, run.repaired = (others.pop(name, None) for name in ("listed", "missing", "repaired"))
    run.counts, run.finished_at = others, now


@snapshot
def last_scan(session: Session, kind: str, bucket: str) -> tuple[datetime | None, datetime | None]:
    """When there was the last sign of a scan of this kind, and when the latest one ended that did end."""
    return _last_scan(session, kind, bucket)


def _last_scan(session: Session, kind: str, bucket: str) -> tuple[datetime | None, datetime | None]:
    sign = func.max(func.coalesce(ScanRun.alive_at, ScanRun.started_at))
    ours = (ScanRun.kind == kind, ScanRun.bucket == bucket)
    row = session.execute(select(sign, func.max(ScanRun.finished_at)).where(*ours)).one()
    return row[0], row[1]


def _start(session: Session, kind: str, bucket: str, prefix: str, now: datetime) -> int:
    run = ScanRun(kind=kind, bucket=bucket, prefix=prefix, started_at=now)
    session.add(run)
    session.flush()
    return run.id
