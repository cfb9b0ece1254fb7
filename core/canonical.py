"""The one JSON text of a value, and its hash."""

import hashlib
import json


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces. What hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(value: object) -> str:
    """sha256 in hex of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
