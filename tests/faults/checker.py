"""Recomputes every verdict from the bucket and finds what is lost, doubled, wrong or changed.

Nothing here uses the pipeline's code: the bucket is listed, hashed and decoded here, the tables are read as plain SQL,
the redness is taken from the raw bytes, and the policy is read anew.
"""

import hashlib
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import Connection, text

from tests.faults.fleet import Ledger

Row = dict[str, Any]
Score = Callable[[bytes], float]
# Resizing and JPEG move a photo's mean colour by less than two grey levels: a quarter of a logit.
LOGIT_TOLERANCE = 0.25
_TABLES = ("model_version", "photo_set", "photo", "work", "prediction", "verdict", "review")
_JSON = {"reasons", "policy", "boxes"}


@dataclass
class Findings:
    """What the checker found, by kind; all lists are empty where the promise was kept."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    reviews: list[str] = field(default_factory=list)
    verdicts: int = 0

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not any((self.lost, self.doubled, self.wrong, self.changed, self.reviews))

    def __str__(self) -> str:
        kinds = {name: rows[:5] for name, rows in vars(self).items() if isinstance(rows, list) and rows}
        return "; ".join(f"{name}: {rows}" for name, rows in kinds.items()) or "nothing"


def redness_probability(data: bytes, bias: float = 0.0) -> float:
    """What the classifiers of the fault plan say of a photo, from its bytes."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    logit = (pixels[..., 0] - pixels[..., 1]).mean() / 8 + bias
    return float(1 / (1 + np.exp(-logit)))


def read_tables(connection: Connection) -> dict[str, list[Row]]:
    """Every row of the tables, JSON parsed."""
    return {name: _rows(connection.execute(text(f"SELECT * FROM {name}")).mappings()) for name in _TABLES}


def _rows(found: Any) -> list[Row]:
    return [
        {name: json.loads(value) if name in _JSON and isinstance(value, str) else value for name, value in row.items()}
        for row in found
    ]


def row_hashes(tables: Mapping[str, list[Row]]) -> dict[tuple[str, ...], str]:
    """A hash of every row that may never change, by table and key."""
    keys = {"verdict": ("id",), "review": ("id",), "prediction": ("content_sha256", "model_id")}
    return {
        (table, *(str(row[name]) for name in key)): hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
        for table, key in keys.items()
        for row in tables[table]
    }


def check(
    objects: Mapping[str, bytes],
    tables: Mapping[str, list[Row]],
    ledger: Ledger,
    witnessed: Mapping[tuple[str, ...], str],
    score: Score = redness_probability,
) -> Findings:
    """Hold the tables to what lies in the bucket and to what was seen before."""
    findings = Findings()
    _find_doubled(findings, tables, ledger)
    _find_changed(findings, tables, witnessed)
    _find_softened(findings, tables, ledger)
    (active,) = [row for row in tables["model_version"] if row["state"] == "active"]
    sets = {row["set_key"]: row for row in tables["photo_set"]}
    there = _photo_sets(objects)
    for set_key in sorted(there.keys() | _photo_sets(ledger.vanished).keys()):
        row, photos = sets.get(set_key), there.get(set_key, {})
        if row is None:
            if photos:
                findings.lost.append(f"{set_key} is not in the database")
            continue
        _check_set(findings, row, photos, objects, tables, active, ledger, score)
    return findings


def unstored_reviews(objects: Mapping[str, bytes], tables: Mapping[str, list[Row]]) -> list[str]:
    """The reviews that do not lie in the bucket, each under its own name, as they stand in the table."""
    names = {row["id"]: row["set_key"] for row in tables["photo_set"]}
    said = ("label", "reason_code", "reviewer", "boxes")
    unstored = []
    for row in tables["review"]:
        key = f"reviews/{row['created_at']:%Y-%m}/{hashlib.sha256(row['idempotency_key'].encode()).hexdigest()}.json"
        expected = {name: row[name] for name in said} | {
            "key": row["idempotency_key"],
            "set_key": names[row["set_id"]],
            "generation": row["seen_generation"],
            "photos_sha256": row["seen_photos_sha256"],
        }
        stored = json.loads(objects.get(key, b"{}"))
        if {name: stored.get(name) for name in expected} != expected:
            unstored.append(f"{key} is {stored} and not {expected}")
    return unstored


def _photo_sets(objects: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    sets: dict[str, dict[str, bytes]] = defaultdict(dict)
    for key, data in objects.items():
        folder, _, name = key.rpartition("/")
        if key.startswith("returns/") and not name.startswith(("_", ".")):
            sets[f"{folder}/"][key] = data
    return sets


def _check_set(
    findings: Findings,
    row: Row,
    photos: Mapping[str, bytes],
    objects: Mapping[str, bytes],
    tables: Mapping[str, list[Row]],
    active: Row,
    ledger: Ledger,
    score: Score,
) -> None:
    set_key = row["set_key"]
    live = {
        photo["object_key"]: photo
        for photo in tables["photo"]
        if photo["set_id"] == row["id"] and not photo["superseded"] and photo["gone_reason"] is None
    }
    gone = {
        photo["object_key"]: ledger.vanished[photo["object_key"]]
        for photo in tables["photo"]
        if photo["set_id"] == row["id"] and not photo["superseded"] and photo["gone_reason"] == "vanished"
    }
    versions = {key: hashlib.md5(data).hexdigest() for key, data in photos.items()}  # S3's ETag of a plain upload
    if {key: photo["etag"] for key, photo in live.items()} != versions:
        findings.lost.append(f"{set_key}: its photos are {sorted(versions)}, the database knows {sorted(live)}")
        return
    if not live and not gone:  # everything was taken away before anyone saw it
        return
    current = [
        verdict
        for verdict in tables["verdict"]
        if (verdict["set_id"], verdict["generation"], verdict["model_id"])
        == (row["id"], row["generation"], active["id"])
    ]
    if not current:
        findings.lost.append(f"{set_key}: no verdict on generation {row['generation']}")
        return
    findings.verdicts += 1
    manifest = objects.get(f"{set_key}_manifest.json", ledger.vanished.get(f"{set_key}_manifest.json"))
    for problem in _problems(current[0], photos, gone, manifest, active["policy"], ledger, score):
        findings.wrong.append(f"{set_key}: {problem}")


def _problems(
    verdict: Row,
    photos: Mapping[str, bytes],
    gone: Mapping[str, bytes],
    manifest: bytes | None,
    policy: Row,
    ledger: Ledger,
    score: Score,
) -> list[str]:
    """What is wrong with one verdict."""
    expected: dict[str, float] = {}
    problems = []
    stored = {photo["key"]: photo for photo in verdict["reasons"]["photos"]}
    if set(stored) != set(photos) | set(gone):
        return [f"stands on {sorted(stored)} and not on {sorted({*photos, *gone})}"]
    promised = {entry["key"]: entry["sha256"] for entry in json.loads(manifest)["photos"]} if manifest else {}
    for key, data in gone.items():  # it counts as it was scored, if anyone had scored it
        if stored[key]["probability"] is not None:
            expected[key] = score(data)
            if abs(_logit(stored[key]["probability"]) - _logit(expected[key])) > LOGIT_TOLERANCE:
                problems.append(f"{key}: probability {stored[key]['probability']:.3f} and not {expected[key]:.3f}")
    for key, data in photos.items():
        photo = stored[key]
        sha256 = hashlib.sha256(data).hexdigest()
        refusal = ledger.refused.get(key)
        if refusal is None and promised.get(key.rpartition("/")[2], sha256) != sha256:
            refusal = ("quarantined", "manifest_mismatch")
        if refusal is not None:
            if (photo["status"], photo["reason"]) != refusal:
                problems.append(f"{key} is {photo['status']} ({photo['reason']}) and not {refusal}")
            continue
        if photo["sha256"] != sha256:
            problems.append(f"{key}: another content was scored")
        expected[key] = score(data)
        if photo["probability"] is None:
            problems.append(f"{key} is {photo['status']} ({photo['reason']}) and not scored")
        elif abs(_logit(photo["probability"]) - _logit(expected[key])) > LOGIT_TOLERANCE:
            problems.append(f"{key}: probability {photo['probability']:.3f} and not {expected[key]:.3f}")
    incomplete = verdict["closed_by"] == "deadline" or bool(verdict["reasons"]["missing"]) or bool(gone)
    label = _label(expected, len(photos) + len(gone), policy, incomplete=incomplete)
    if verdict["label"] != label:
        problems.append(f"{verdict['label']} and not {label}")
    return problems


def _label(probabilities: Mapping[str, float], photos: int, policy: Row, *, incomplete: bool) -> str:
    """The policy as architecture.md and the README have it."""
    highest = max(probabilities.values(), default=-1.0)
    if highest >= policy["damaged_at"]:
        return "damaged"
    all_scored = 0 < len(probabilities) == photos
    return "clear" if all_scored and highest < policy["clear_below"] and not incomplete else "undecided"


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(bounded / (1 - bounded))


def _find_doubled(findings: Findings, tables: Mapping[str, list[Row]], ledger: Ledger) -> None:
    unique = {
        "verdict": ("set_id", "generation", "model_id"),
        "prediction": ("content_sha256", "model_id"),
        "photo_set": ("bucket", "set_key"),
        "review": ("idempotency_key",),
    }
    for table, columns in unique.items():
        counts = Counter(tuple(row[name] for name in columns) for row in tables[table])
        findings.doubled += [f"{table} {key}: {count} rows" for key, count in counts.items() if count > 1]
    names = {row["id"]: row["set_key"] for row in tables["photo_set"]}
    counts = Counter((row["set_id"], row["model_id"]) for row in tables["verdict"])
    for (set_id, model_id), count in counts.items():
        contents = 1 + ledger.changes.get(names[set_id], 0)
        if count > contents:
            findings.doubled.append(f"{names[set_id]}: {count} verdicts of model {model_id} on {contents} contents")


def _find_softened(findings: Findings, tables: Mapping[str, list[Row]], ledger: Ledger) -> None:
    """Verdicts that are milder than one before them, of sets from which photos were only taken away."""
    severity = {"clear": 0, "undecided": 1, "damaged": 2}
    sets = {row["id"]: row["set_key"] for row in tables["photo_set"]}
    taken = {key[: key.rindex("/") + 1] for key in ledger.vanished}
    last: dict[tuple[int, int], Row] = {}
    for verdict in sorted(tables["verdict"], key=lambda row: row["generation"]):
        key = (verdict["set_id"], verdict["model_id"])
        before = last.get(key)
        milder = before is not None and severity[verdict["label"]] < severity[before["label"]]
        if milder and sets[verdict["set_id"]] in taken and not ledger.refused:
            findings.wrong.append(f"{sets[verdict['set_id']]}: {verdict['label']} after photos were taken away")
        last[key] = verdict


def _find_changed(
    findings: Findings, tables: Mapping[str, list[Row]], witnessed: Mapping[tuple[str, ...], str]
) -> None:
    now = row_hashes(tables)
    for key, before in witnessed.items():
        if key not in now:
            findings.changed.append(f"{' '.join(key)} is gone")
        elif now[key] != before:
            findings.changed.append(f"{' '.join(key)} was changed")
