"""The JSON that programs read: its names are a promise."""

import json
from typing import Any

from reports.document import json_pieces
from reports.view import Report
from tests.reports import report_of, sample_report


def to_document(report: Report) -> Any:
    return json.loads("".join(json_pieces(report)))


def test_a_return_has_the_promised_names() -> None:
    document = to_document(sample_report())

    promised = {"set_key", "fleet", "vehicle", "label", "score", "photos"}
    assert all(promised <= found.keys() for found in document["returns"])
    photos = [photo for found in document["returns"] for photo in found["photos"]]
    assert all(photo.keys() == {"key", "probability", "status", "reason"} for photo in photos)
    assert len(photos) == 20


def test_values_are_those_of_the_verdict() -> None:
    document = to_document(sample_report())
    found = next(entry for entry in document["returns"] if entry["vehicle"] == "HB-311")

    assert (found["label"], found["score"], found["fleet"]) == ("damaged", 0.995, "harbour")
    assert found["set_key"] == "returns/harbour/HB-311/2026-11-20-0815/"
    assert [photo["status"] for photo in found["photos"]] == ["ok", "ok", "quarantined"]
    assert [photo["probability"] for photo in found["photos"]] == [0.995, 0.22, None]
    assert found["photos"][2]["reason"] == "truncated"


def test_a_return_without_a_verdict_has_no_label_but_a_standing() -> None:
    pending = [entry for entry in to_document(sample_report())["returns"] if entry["standing"] == "pending"]

    assert [(entry["label"], entry["score"]) for entry in pending] == [(None, None)]


def test_photos_are_in_key_order() -> None:
    for found in to_document(sample_report())["returns"]:
        keys = [photo["key"] for photo in found["photos"]]
        assert keys == sorted(keys)


def test_the_pieces_are_one_indented_document() -> None:
    for report in (sample_report(), report_of()):
        text = "".join(json_pieces(report))
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
