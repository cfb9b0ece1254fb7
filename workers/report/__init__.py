"""The report of a store's returns: a table in the terminal or JSON for programs; `html` makes the page with photos."""

from workers.report.document import to_json
from workers.report.reading import read_report
from workers.report.table import print_table
from workers.report.view import PhotoView, Report, ReturnView, Standing

__all__ = [
    "PhotoView",
    "Report",
    "ReturnView",
    "Standing",
    "print_table",
    "read_report",
    "to_json",
]
