"""What `walkaround model` commands show while they work and when they are done."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def confirm(sentence: str) -> None:
    """Print what was done."""
    Console().print(f"[green]✓[/] {escape(sentence)}", soft_wrap=True, highlight=False)


def progress_bars() -> Progress:
    """Progress on standard error, so that --json stays readable."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
