"""What a person who waits for a scan is told: which returns it waits for, and why, each reason once."""

from dataclasses import dataclass, field

from rich.console import Console

from db import queries
from workers.context import Context

SHOWN = 5  # returns looked at, at a time


@dataclass(slots=True)
class WaitingNotes:
    """Prints each return that waits, once for each reason."""

    console: Console
    _shown: set[tuple[str, str]] = field(default_factory=set)

    def show(self, context: Context) -> None:
        """Print what is new since the last time."""
        for waiting in queries.waiting_returns(context.sessions, context.store.name, SHOWN):
            note = (waiting.set_key, waiting.problem)
            if note not in self._shown:
                self._shown.add(note)
                again = f"{waiting.not_before.astimezone():%H:%M:%S}"
                text = f"{waiting.set_key} waits: {waiting.problem} (tried again from {again} on)"
                self.console.print(text, markup=False, highlight=False, soft_wrap=True)
