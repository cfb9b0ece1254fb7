"""Every write to the database, each in one short transaction that does no other I/O."""

from db.photo_rows import PhotoRow
from db.transactions.intake import IngestOutcome, ingest, sets_due
from db.transactions.model_lifecycle import (
    activate_first_model,
    activate_model,
    begin_shadow,
    end_shadow,
    reactivate_previous,
    register_model,
)
from db.transactions.new_sets import IntakeResult, SetListing, record_new_sets
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
    "Claim",
    "Finish",
    "IngestOutcome",
    "IntakeResult",
    "PhotoResult",
    "PhotoRow",
    "ReplayRequest",
    "SetListing",
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
    "record_new_sets",
    "recorded_store",
    "register_model",
    "release",
    "renew",
    "replay_photos",
    "replay_work",
    "sets_due",
    "start_due_scan",
    "start_scan",
]
