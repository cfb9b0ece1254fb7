"""TensorFlow takes seconds to import: only what runs the model may import it."""

import subprocess
import sys

import pytest

CHECK = (
    "import sys; {0}; loaded = sorted({{'tensorflow', 'keras'}} & set(sys.modules)); sys.exit(', '.join(loaded) or 0)"
)


@pytest.mark.parametrize(
    "statement",
    [
        "import workers.tasks",
        "import workers.cli",
        "import workers.consumer",
        "import web.webhook",
        "from workers.app import make_app; from core.settings import load_settings; "
        "app = make_app(load_settings()); app.loader.import_default_modules(); app.Beat()",
        "import core.model.inference, core.model.registry, core.model.heatmap, core.model.card",
    ],
)
def test_imports_no_tensorflow(statement: str) -> None:
    done = subprocess.run([sys.executable, "-c", CHECK.format(statement)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
