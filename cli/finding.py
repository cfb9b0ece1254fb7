"""What `walkaround doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether all is well, what was seen, and what to do if not."""

    check: str
    well: bool
    seen: str
    fix: str = ""
