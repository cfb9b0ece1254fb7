"""The first tables and their insert-only history."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from db.dialect import Json, KeyText, RowId, UtcDateTime, utc_day

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSERT_ONLY = ("prediction", "verdict", "review")


def upgrade() -> None:
    _model_version()
    _scan_run()
    _vehicle()
    _photo_set()
    _prediction()
    _photo()
    _verdict()
    _work()
    _review()
    _protect_history()


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def _model_version() -> None:
    op.create_table(
        "model_version",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("preprocess_sha256", sa.String(length=64), nullable=False),
        sa.Column("policy_sha256", sa.String(length=64), nullable=False),
        sa.Column("policy", Json, nullable=False),
        sa.Column("state", _words("state", "candidate", "active", "retired"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("activated_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_version")),
        sa.UniqueConstraint(
            "weights_sha256",
            "preprocess_sha256",
            "policy_sha256",
            name=op.f("uq_model_version_weights_sha256_preprocess_sha256_policy_sha256"),
        ),
    )
    op.create_index("uq_model_version_active", "model_version", ["state"], unique=True, **_where("state = 'active'"))


def _scan_run() -> None:
    op.create_table(
        "scan_run",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bucket", KeyText, nullable=False),
        sa.Column("prefix", KeyText, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("listed", sa.Integer(), nullable=True),
        sa.Column("missing", sa.Integer(), nullable=True),
        sa.Column("repaired", sa.Integer(), nullable=True),
        sa.Column("counts", Json, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_run")),
    )


def _vehicle() -> None:
    op.create_table(
        "vehicle",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("fleet", KeyText, nullable=False),
        sa.Column("vehicle_ref", KeyText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicle")),
        sa.UniqueConstraint("fleet", "vehicle_ref", name=op.f("uq_vehicle_fleet_vehicle_ref")),
    )


def _photo_set() -> None:
    op.create_table(
        "photo_set",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("vehicle_id", RowId, nullable=False),
        sa.Column("bucket", KeyText, nullable=False),
        sa.Column("set_key", KeyText, nullable=False),
        sa.Column("return_ref", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", _words("state", "open", "complete"), nullable=False),
        sa.Column("closed_by", _words("closed_by", "manifest", "marker", "count", "quiet", "deadline"), nullable=True),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("manifest", Json, nullable=True),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("missing", Json, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("last_change_at", UtcDateTime(), nullable=False),
        sa.Column("returned_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("check_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "(state = 'complete') = (closed_by IS NOT NULL)", name=op.f("ck_photo_set_closed_when_complete")
        ),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicle.id"], name=op.f("fk_photo_set_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_set")),
        sa.UniqueConstraint("bucket", "set_key", name=op.f("uq_photo_set_bucket_set_key")),
    )
    op.create_index(
        "ix_photo_set_due", "photo_set", ["check_at"], unique=False, **_where("state = 'open' AND check_at IS NOT NULL")
    )
    op.create_index("ix_photo_set_complete", "photo_set", ["id", "generation"], **_where("state = 'complete'"))
    op.create_index("ix_photo_set_changed", "photo_set", ["id", "generation"], **_where("generation > 1"))
    op.create_index(op.f("ix_photo_set_vehicle_id_returned_at_id"), "photo_set", ["vehicle_id", "returned_at", "id"])
    op.create_index(op.f("ix_photo_set_returned_at"), "photo_set", ["returned_at"])
    op.create_index("ix_photo_set_day", "photo_set", [utc_day(sa.column("returned_at"))])


def _prediction() -> None:
    op.create_table(
        "prediction",
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_id", RowId, nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("logit", sa.Double(), nullable=False),
        sa.Column("heatmap", sa.LargeBinary(), nullable=True),
        sa.Column("heatmap_rows", sa.SmallInteger(), nullable=True),
        sa.Column("heatmap_columns", sa.SmallInteger(), nullable=True),
        sa.Column("vehicle_distance", sa.Double(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model_version.id"], name=op.f("fk_prediction_model_id")),
        sa.PrimaryKeyConstraint("content_sha256", "model_id", name=op.f("pk_prediction")),
    )


def _photo() -> None:
    op.create_table(
        "photo",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("set_id", RowId, nullable=False),
        sa.Column("object_key", KeyText, nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size", RowId, nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=True),
        sa.Column("status", _words("status", "seen", "ok", "unusable", "quarantined", "gone"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("quality", Json, nullable=True),
        sa.Column("likeness", sa.String(length=64), nullable=True),
        *(sa.Column(f"likeness_{band}", sa.Integer(), nullable=True) for band in range(4)),
        sa.Column("reused_from", RowId, nullable=True),
        sa.Column("absences", sa.Integer(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["reused_from"], ["photo_set.id"], name=op.f("fk_photo_reused_from")),
        sa.ForeignKeyConstraint(["set_id"], ["photo_set.id"], name=op.f("fk_photo_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
    )
    for band in range(4):
        op.create_index(f"ix_photo_likeness_{band}", "photo", [f"likeness_{band}"], unique=False)
    op.create_index(op.f("ix_photo_content_sha256"), "photo", ["content_sha256"], unique=False)
    op.create_index(
        "ix_photo_refused",
        "photo",
        ["set_id"],
        unique=False,
        **_where("NOT superseded AND status IN ('quarantined', 'unusable')"),
    )
    op.create_index(
        "ix_photo_refused_uploaded_at",
        "photo",
        ["uploaded_at"],
        **_where("NOT superseded AND status IN ('quarantined', 'unusable')"),
    )
    op.create_index("uq_photo_live", "photo", ["set_id", "object_key"], unique=True, **_where("NOT superseded"))


def _verdict() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("set_id", RowId, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("model_id", RowId, nullable=False),
        sa.Column("label", _words("label", "damaged", "clear", "undecided"), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("closed_by", _words("closed_by", "manifest", "marker", "count", "quiet", "deadline"), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("input_sha256", sa.String(length=64), nullable=False),
        sa.Column("device_seconds", sa.Double(), nullable=False),
        sa.Column("sampled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model_version.id"], name=op.f("fk_verdict_model_id")),
        sa.ForeignKeyConstraint(["set_id"], ["photo_set.id"], name=op.f("fk_verdict_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.create_index(op.f("ix_verdict_model_id_created_at"), "verdict", ["model_id", "created_at"], unique=False)
    op.create_index(
        "uq_verdict_set_id_generation_model_id",
        "verdict",
        ["set_id", "generation", "model_id"],
        unique=True,
        postgresql_include=["id", "label", "score", "sampled", "device_seconds", "created_at"],
    )
    of_set = ["model_id", "set_id", "generation"]
    op.create_index("ix_verdict_for_people", "verdict", of_set, **_where("label = 'undecided' OR sampled"))
    op.create_index("ix_verdict_sampled", "verdict", of_set, **_where("sampled AND label = 'clear'"))


def _work() -> None:
    op.create_table(
        "work",
        sa.Column("set_id", RowId, nullable=False),
        sa.Column("model_id", RowId, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("queue", _words("queue", "classify", "rescore"), nullable=False),
        sa.Column("state", _words("state", "pending", "leased", "done", "dead"), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("last_published", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("suspect_photo_id", RowId, nullable=True),
        sa.Column("suspicions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bugs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model_version.id"], name=op.f("fk_work_model_id")),
        sa.ForeignKeyConstraint(["set_id"], ["photo_set.id"], name=op.f("fk_work_set_id")),
        sa.PrimaryKeyConstraint("set_id", "model_id", "generation", name=op.f("pk_work")),
    )
    op.create_index("ix_work_dead", "work", ["created_at"], unique=False, **_where("state = 'dead'"))
    op.create_index(
        "ix_work_due", "work", ["queue", "created_at"], unique=False, **_where("state IN ('pending', 'leased', 'dead')")
    )


def _review() -> None:
    op.create_table(
        "review",
        sa.Column("id", RowId, sa.Identity(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("set_id", RowId, nullable=False),
        sa.Column("seen_verdict_id", RowId, nullable=True),
        sa.Column("seen_generation", sa.Integer(), nullable=False),
        sa.Column("label", _words("label", "damaged", "clear", "undecided"), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("boxes", Json, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["seen_verdict_id"], ["verdict.id"], name=op.f("fk_review_seen_verdict_id")),
        sa.ForeignKeyConstraint(["set_id"], ["photo_set.id"], name=op.f("fk_review_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_review_idempotency_key")),
    )
    op.create_index(
        op.f("ix_review_set_id_seen_generation_created_at_id"),
        "review",
        ["set_id", "seen_generation", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_review_seen_verdict_id_created_at_id"), "review", ["seen_verdict_id", "created_at", "id"])
    op.create_index("ix_review_undecided", "review", ["set_id"], **_where("label = 'undecided'"))


def _protect_history() -> None:
    """Let the database itself refuse to change or remove a row of history, whoever asks."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute("""
            CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
            END $$
        """)
    for table in _INSERT_ONLY:
        if postgresql:
            op.execute(f"""
                CREATE TRIGGER {table}_is_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
            """)
            continue
        for change in ("update", "delete"):
            op.execute(f"""
                CREATE TRIGGER {table}_refuses_{change} BEFORE {change.upper()} ON {table}
                BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END
            """)
