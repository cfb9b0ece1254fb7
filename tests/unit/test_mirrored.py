"""Tests stand where a reader looks for them: at the path of the module they test."""

from pathlib import Path

import pytest

from tests.mirrored import find_test, has_behaviour


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("X = 1\n", False),
        ("class Store:\n    def read(self) -> bytes: ...\n", False),
        ('class Store:\n    def read(self) -> bytes:\n        """The bytes."""\n', False),
        ("def double(x: int) -> int:\n    return 2 * x\n", True),
        ("class A:\n    async def go(self) -> None:\n        await self.x()\n", True),
    ],
)
def test_only_code_that_does_something_needs_a_test(tmp_path: Path, source: str, expected: bool) -> None:
    module = tmp_path / "module.py"
    module.write_text(source)
    assert has_behaviour(module) is expected


def test_the_mirrored_test_may_need_servers(tmp_path: Path) -> None:
    module = Path("db/queries/walks.py")
    assert find_test(module, tmp_path) is None
    expected = tmp_path / "tests" / "integration" / "db" / "queries" / "test_walks.py"
    expected.parent.mkdir(parents=True)
    expected.touch()
    assert find_test(module, tmp_path) == expected
