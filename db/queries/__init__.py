"""What is read from the database: figures over the views, and the page-by-page walks of the scan and the audit."""

from db.queries.model_comparison import ComparedSet, Comparison, changed_verdicts, compare_models
from db.queries.refused_photos import RefusedPhoto, photos_refused_by_store, sets_refused_by_store
from db.queries.registered_models import VersionRow, find_version, model_by_id, model_versions, serving_models
from db.queries.replayable import Replayable, ReplayFilter, replayable
from db.queries.review_history import latest_review, recorded_reviews, review_lines
from db.queries.set_photos import PhotoReport, photos_of, photos_of_sets
from db.queries.state import (
    Backlog,
    BacklogFigures,
    ModelRow,
    ScanProgress,
    VerdictFilter,
    VerdictRow,
    active_model,
    backlog,
    backlog_figures,
    current_verdicts,
    has_due_work,
    progress,
)
from db.queries.waiting_returns import WaitingReturn, waiting_returns
from db.queries.walks import (
    PlacedSet,
    SetRow,
    StoredVerdict,
    decide_again,
    placed_photos,
    set_rows,
)

__all__ = [
    "Backlog",
    "BacklogFigures",
    "ComparedSet",
    "Comparison",
    "ModelRow",
    "PhotoReport",
    "PlacedSet",
    "RefusedPhoto",
    "ReplayFilter",
    "Replayable",
    "ScanProgress",
    "SetRow",
    "StoredVerdict",
    "VerdictFilter",
    "VerdictRow",
    "VersionRow",
    "WaitingReturn",
    "active_model",
    "backlog",
    "backlog_figures",
    "changed_verdicts",
    "compare_models",
    "current_verdicts",
    "decide_again",
    "find_version",
    "has_due_work",
    "latest_review",
    "model_by_id",
    "model_versions",
    "photos_of",
    "photos_of_sets",
    "photos_refused_by_store",
    "placed_photos",
    "progress",
    "recorded_reviews",
    "replayable",
    "review_lines",
    "serving_models",
    "set_rows",
    "sets_refused_by_store",
    "waiting_returns",
]
