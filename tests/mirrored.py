"""Counts the modules whose tests stand at the mirrored path: `python -m tests.mirrored`, part of `make check`.

`reports/words.py` is tested by `tests/unit/reports/test_words.py`, or under `tests/integration/` where servers are
needed. Only modules with behaviour count: those that define a function or a method.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "db", "reports", "workers", "web", "cli")
LEFT_OUT = ("db/migrations/",)  # tested as a whole by tests/migration


def has_behaviour(module: Path) -> bool:
    """Whether the module defines a function or a method that does something."""
    functions = (
        node
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return any(not _is_declaration(function) for function in functions)


def modules(root: Path = ROOT) -> list[Path]:
    """The modules with behaviour, relative to the root."""
    found = (path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py"))
    return sorted(
        path
        for path in found
        if path.name != "__init__.py" and not path.as_posix().startswith(LEFT_OUT) and has_behaviour(root / path)
    )


def find_test(module: Path, root: Path = ROOT) -> Path | None:
    """The test at the mirrored path, if there is one."""
    places = (root / "tests" / kind / module.parent / f"test_{module.name}" for kind in ("unit", "integration"))
    return next((place for place in places if place.is_file()), None)


def _is_declaration(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the body is a docstring or `...` alone, as a protocol's methods are."""
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in function.body)


def main() -> int:
    """Print the share, and each module without a mirrored test; the exit status."""
    counted = modules()
    missing = [module for module in counted if find_test(module) is None]
    share = f"{len(counted) - len(missing)} of {len(counted)}"
    sys.stdout.write(f"{share} modules with behaviour have a test at the mirrored path\n")
    for module in missing:
        sys.stdout.write(f"  missing: tests/unit/{module.parent.as_posix()}/test_{module.name}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
