"""One value has one text, whatever order its keys were written in."""

import pytest

from core.canonical import canonical_json, sha256_of


def test_the_order_of_keys_does_not_count() -> None:
    assert (
        canonical_json({"b": [1, 2], "a": None}) == canonical_json({"a": None, "b": [1, 2]}) == '{"a":null,"b":[1,2]}'
    )
    assert sha256_of({"b": 1, "a": 2}) == sha256_of({"a": 2, "b": 1})


def test_another_value_has_another_hash() -> None:
    hashes = {sha256_of(value) for value in ({"a": 1}, {"a": "1"}, {"a": 1.5}, [{"a": 1}], {"á": 1})}
    assert len(hashes) == 5
    assert all(len(text) == 64 for text in hashes)


def test_what_has_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_text_is_kept_as_it_is() -> None:
    assert canonical_json("Žižkov") == '"Žižkov"'
