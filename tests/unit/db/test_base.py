"""How enumerations are stored: as their values, with a constraint that lets no other in."""

from enum import StrEnum

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import CreateTable

from db.base import words


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def test_a_word_is_stored_as_its_value_and_no_other_is_taken() -> None:
    table = Table("paint", MetaData(), Column("colour", words(Colour, "colour")))
    assert "CHECK (colour IN ('red', 'green'))" in str(CreateTable(table))
    assert words(Colour, "colour").enums == ["red", "green"]
