"""The terminal table: whole at 80 and 120 columns, and readable without colour."""

import io

import pytest
from rich.console import Console

from reports.table import print_table
from reports.view import Report
from tests.reports import decided, photo, report_of, sample_report


def printed(report: Report, width: int, *, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    print_table(console, report)
    return stream.getvalue().replace("\u00a0", " ")


@pytest.mark.parametrize("width", [80, 120])
def test_every_return_stands_in_the_table_within_its_width(width: int) -> None:
    text = printed(sample_report(), width)

    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    for found in sample_report().returns:
        row = next(line for line in text.splitlines() if found.vehicle in line)
        assert f"{found.standing.symbol} {found.standing.value}" in row
        assert found.return_ref in row
        assert found.fleet in row


def test_without_colour_nothing_but_text_is_printed() -> None:
    assert "\x1b" not in printed(sample_report(), 80)
    assert "\x1b[1;31m✗ damaged" in printed(sample_report(), 80, colour=True)


def test_damaged_returns_come_first_and_the_last_lines_sum_up() -> None:
    lines = printed(sample_report(), 120).splitlines()

    assert "damaged" in lines[2]
    assert "9 returns: 3 damaged, 2 undecided, 1 failed, 1 pending, 1 open, 1 clear. 20 photos" in lines[-2]
    assert lines[-1] == "Model: walkaround-resnet50"


def test_a_wide_table_says_why_and_a_narrow_one_names_the_worst_photo() -> None:
    assert "damage from 62 %" in printed(sample_report(), 120)
    row = next(line for line in printed(sample_report(), 80).splitlines() if "HB-204" in line)
    assert "02.jpg" in row


def test_fleet_and_return_are_left_out_where_the_layout_has_none() -> None:
    report = report_of(decided("returns/default/KA-1/1/", photo("1.jpg", 0.2)))

    assert "Fleet" not in printed(report, 80)
    assert "Return" not in printed(report, 80).splitlines()[0]


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    report = report_of(decided("returns/f/[red]X/1/", photo("1.jpg", 0.2)))

    assert "[red]X" in printed(report, 80)


def test_no_returns_is_said() -> None:
    assert printed(report_of(), 80) == "No returns.\n"
