"""Runs the tests that failed once more, one at a time, and names those that pass only now.

Hundreds of tests drive real processes on a small shared machine, so one may fail by chance. It is named here, and three
in one run fail it: chance that often is a fault. Run by .ci/run after `make test` failed.
"""

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
TOLERATED = 2


def main() -> int:
    """The exit status: 0 where every test passes now and at most `TOLERATED` needed this second try."""
    names = sorted(json.loads(FAILED.read_text(encoding="utf-8"))) if FAILED.exists() else []
    if not names:
        print("make test failed, and no test did: see the error above")
        return 1
    again = subprocess.run(
        [sys.executable, "-m", "pytest", "--last-failed", "--last-failed-no-failures", "none"], check=False
    )
    if again.returncode:
        return again.returncode
    print(f"{len(names)} test(s) passed only the second time (at most {TOLERATED} may):")
    for name in names:
        print(f"  {name}")
    return int(len(names) > TOLERATED)


if __name__ == "__main__":
    sys.exit(main())
