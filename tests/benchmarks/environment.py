"""A Python for what only benchmarks need: build/bench-venv, made when first asked for; the locks know nothing of it."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measured import BUILD, ROOT

VENV = ROOT / "build" / "bench-venv"


def bench_python(*requirements: str) -> Path:
    """The interpreter, with these requirements (as pip writes them) installed and all of our own packages visible.

    Takes the network on the first call for a requirement. Raises `subprocess.CalledProcessError` where that fails.
    """
    python = VENV / "bin" / "python"
    if not python.exists():
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
        # Ours come last: what is installed here wins, in the same versions (the constraints below).
        packages = next((VENV / "lib").glob("python*")) / "site-packages"
        (packages / "walkaround.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")
    missing = [name for name in requirements if not _marker(name).exists()]
    if missing:
        constraints = [option for file in ("cpu", "dev") for option in ("-c", str(ROOT / f"requirements-{file}.txt"))]
        _uv("pip", "install", "--quiet", "--python", str(python), "--no-verify-hashes", *constraints, *missing)
        for name in missing:
            _marker(name).touch()
    return python


def found_by(module: str, *, small: bool) -> dict[str, Any]:
    """What a module of this package found, run by that Python with our engine's peers at hand; see `hand_over`."""
    python = bench_python("onnx", "onnxruntime", "nncf")
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / f"{module}.json"
    flags = ["--small"] if small else []
    subprocess.run([python, "-m", f"tests.benchmarks.{module}", file, *flags], cwd=ROOT, check=True)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def hand_over(find: Callable[[bool], dict[str, Any]]) -> None:
    """The other side of `found_by`: what such a module does when it is run."""
    file, *flags = sys.argv[1:]
    Path(file).write_text(json.dumps(find("--small" in flags)))


def _marker(requirement: str) -> Path:
    return VENV / f".has-{requirement.replace('/', '-')}"


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)
