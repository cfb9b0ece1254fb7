"""Every write to the database, each in one short transaction that does no other I/O."""

from db.photo_rows import PhotoRow
from db.transactions.arrivals import Arrival, IntakeResult, take_in
from db.transactions.intake import IngestOutcome, ingest, sets_due
from db.transactions.model_lifecycle import (
    activate_first_model,
    activate_model,
    begin_shadow,
    end_shadow,
    reactivate_previous,
    register_model,
)
from db.transactions.own_store import claim_store, recorded_store
from db.transactions.queue import (
    Claim,
    WorkKey,
    bury,
    claim,
    due_work,
    end_leases,
    mark_suspect,
    mark_unpublished,
    release,
    renew,
)
from db.transactions.replays import ReplayRequest, replay_photos, replay_work
from db.transactions.rescoring import open_rescoring
from db.transactions.reviews import add_review, import_reviews
from db.transactions.scans import finish_scan, keep_scan, last_scan, start_due_scan, start_scan
from db.transactions.verdicts import Finish, PhotoResult, finish

__all__ = [
    "Arrival",
    "Claim",
    "Finish",
    "IngestOutcome",
    "IntakeResult",
    "PhotoResult",
    "PhotoRow",
    "ReplayRequest",
    "WorkKey",
    "activate_first_model",
    "activate_model",
    "add_review",
    "begin_shadow",
    "bury",
    "claim",
    "claim_store",
    "due_work",
    "end_leases",
    "end_shadow",
    "finish",
    "finish_scan",
    "import_reviews",
    "ingest",
    "keep_scan",
    "last_scan",
    "mark_suspect",
    "mark_unpublished",
    "open_rescoring",
    "reactivate_previous",
    "recorded_store",
    "register_model",
    "release",
    "renew",
    "replay_photos",
    "replay_work",
    "sets_due",
    "start_due_scan",
    "start_scan",
    "take_in",
]
