"""The report of a store's returns: a table in the terminal or JSON for programs; `html` makes the page with photos."""

from reports.document import json_pieces
from reports.reading import read_report
from reports.table import print_table
from reports.view import PhotoView, Report, ReturnView, Standing

__all__ = [
    "PhotoView",
    "Report",
    "ReturnView",
    "Standing",
    "json_pieces",
    "print_table",
    "read_report",
]
