"""The audit places every object, or names it."""

from tests.house import GREEN, RED, SET, House


def test_the_audit_names_what_it_cannot_place(house: House) -> None:
    house.put("1.jpg", GREEN)
    house.ingest()
    house.answer()
    assert house.audit().passed
    house.put("2.jpg", RED)
    house.put("lost.jpg", RED, "returns/")
    result = house.audit()
    assert not result.passed
    assert {finding.partition(":")[0] for finding in result.findings} == {SET + "2.jpg", "returns/lost.jpg"}
