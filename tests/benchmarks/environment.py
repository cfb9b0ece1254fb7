"""A Python for what only benchmarks need: build/bench-venv, made when first asked for; the locks know nothing of it."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.benchmarks.measured import ROOT

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


def _marker(requirement: str) -> Path:
    return VENV / f".has-{requirement.replace('/', '-')}"


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)
