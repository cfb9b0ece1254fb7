"""Libraries take time to import, TensorFlow seconds: a command loads those it uses, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.session import make_engine, upgrade

CHECK = """
import sys
try:
    {0}
except SystemExit as end:
    if end.code:
        raise
loaded = sorted({1!r} & set(sys.modules))
sys.exit(f"loaded needlessly: {{', '.join(loaded)}}" if loaded else 0)
"""
COMMAND = "from cli.main import app; sys.argv = ['walkaround', {0!r}]; app()"
APP = "from workers.app import make_app; from core.settings import load_settings; app = make_app(load_settings())"
BEAT = f"{APP}; app.loader.import_default_modules(); app.Beat()"
CONSUME = f"import workers.consumer; {APP}"

NETWORK = {"tensorflow", "keras", "h5py"}
PHOTOS = {"PIL", "pillow_heif"}
OTHERS = {"alembic", "jinja2", "psycopg"}  # psycopg: these run on SQLite


def check_spares(statement: str, libraries: set[str], settings: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK.format(statement, libraries)],
        env=os.environ | (settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "import workers.tasks",
        "import workers.consumer",
        "import web.webhook",
        "import core.model.inference, core.model.registry, core.model.heatmap, core.model.card",
    ],
)
def test_imports_no_tensorflow(statement: str) -> None:
    check_spares(statement, NETWORK)


@pytest.mark.parametrize(
    ("statement", "spared"),
    [
        (COMMAND.format("--help"), NETWORK | PHOTOS | OTHERS | {"boto3", "sqlalchemy", "celery"}),
        (COMMAND.format("report"), NETWORK | PHOTOS | OTHERS | {"boto3", "celery"}),
        (BEAT, NETWORK | PHOTOS | OTHERS | {"boto3"}),
        (CONSUME, NETWORK | PHOTOS | OTHERS),
    ],
    ids=["--help", "report", "beat", "consume"],
)
def test_a_command_loads_what_it_uses(statement: str, spared: set[str], tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/walkaround.sqlite"
    upgrade(make_engine(database))
    check_spares(statement, spared, {"WALKAROUND_DATABASE_URL": database, "WALKAROUND_STORE": str(tmp_path)})
