"""Whoever waits for a scan is told which returns it waits for, and why."""

import io
from dataclasses import replace

from rich.console import Console

from cli.waiting import WaitingNotes
from tests.house import GREEN, LONG_AGO, SET, AwayStore, House, make_due


def test_each_return_that_waits_is_named_once_for_each_reason(house: House) -> None:
    store = AwayStore(now=lambda: LONG_AGO)
    house.context, output = replace(house.context, store=store), io.StringIO()
    store.write(SET + "1.png", GREEN)
    house.ingest()
    (work, _), *_ = house.published
    notes = WaitingNotes(Console(file=output, width=200))
    notes.show(house.context)
    assert output.getvalue() == "", "nothing has failed yet"
    store.away = True
    house.answer()
    notes.show(house.context)
    notes.show(house.context)
    assert output.getvalue().count(f"{SET} waits: StoreUnavailable: the store is away (tried again from ") == 1
    store.away = False
    make_due(house.context.sessions)
    house.published.append((work, "classify"))
    house.answer()
    seen = len(output.getvalue())
    WaitingNotes(notes.console).show(house.context)
    assert len(output.getvalue()) == seen, "a verdict ends the waiting"
