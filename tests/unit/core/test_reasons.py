"""What is stored of a verdict: its words are compared by programs and by audits, so they never change."""

from core.reasons import Rule

STORED = {
    "enough photos reach the damage threshold",
    "no photo could be scored",
    "no photo shows a vehicle",
    "a photo could not be scored",
    "the set is incomplete",
    "there are too few photos",
    "a photo was used for an earlier return",
    "a photo shows no vehicle",
    "a photo is between the clear and the damage threshold",
    "photos are gone from the store",
    "every photo stays below the clear threshold",
}


def test_the_rules_are_those_that_verdicts_hold() -> None:
    assert {rule.value for rule in Rule} == STORED
