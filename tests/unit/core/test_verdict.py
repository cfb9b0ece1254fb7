import dataclasses
import random
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.canonical import canonical_json, sha256_of
from core.domain import AbsenceReason, ClosedBy, Label, ModelIdentity, PhotoStatus
from core.policy import FalseAlarms, IntactPhotos, Policy, ViewRule
from core.reasons import Rule
from core.verdict import PhotoEvidence, decide

POLICY = Policy(damaged_at=0.6, clear_below=0.4)
RATES = POLICY.model_copy(
    update={
        "false_alarms": FalseAlarms(
            damaged_rate=0.05,
            undecided_rate=0.4,
            intact=IntactPhotos(photos=200, levels=((0.9, -3.0), (0.5, -1.5), (0.25, -0.5)), tail_scale=1.2),
        ),
        "vehicle_within": 0.7,
    }
)
SEVERITY = [Label.CLEAR, Label.UNDECIDED, Label.DAMAGED]

scored = st.builds(
    PhotoEvidence,
    key=st.text(min_size=1, max_size=8),
    status=st.just(PhotoStatus.OK),
    content_sha256=st.text("0123456789abcdef", min_size=4, max_size=4),
    probability=st.floats(0, 1),
    phash=st.none() | st.sampled_from([digit * 64 for digit in "0369cf"]),
    vehicle_distance=st.none() | st.floats(0, 1.2),
    reused_from=st.none() | st.just("returns/f/v/earlier/"),
)
policies = st.sampled_from([POLICY, RATES])
unscored = st.builds(
    PhotoEvidence,
    key=st.text(min_size=1, max_size=8),
    status=st.sampled_from([PhotoStatus.UNUSABLE, PhotoStatus.QUARANTINED]),
    reason=st.just("corrupt"),
)
photos = st.lists(scored | unscored, max_size=12, unique_by=lambda photo: photo.key)
rules = st.sampled_from(ClosedBy)


def ok(probability: float, key: str = "1.jpg") -> PhotoEvidence:
    return PhotoEvidence(key, PhotoStatus.OK, "sha", None, probability)


def vanished(key: str, probability: float | None = None, content: str = "other") -> PhotoEvidence:
    status = PhotoStatus.SEEN if probability is None else PhotoStatus.OK
    return PhotoEvidence(key, status, content, None, probability, absence=AbsenceReason.VANISHED)


@pytest.mark.parametrize(
    ("evidence", "closed_by", "missing", "label"),
    [
        ([ok(0.6)], ClosedBy.MARKER, [], Label.DAMAGED),
        ([ok(0.39)], ClosedBy.MARKER, [], Label.CLEAR),
        ([ok(0.4)], ClosedBy.MARKER, [], Label.UNDECIDED),
        (
            [ok(0.1), PhotoEvidence("2.jpg", PhotoStatus.QUARANTINED, reason="corrupt")],
            ClosedBy.MARKER,
            [],
            Label.UNDECIDED,
        ),
        ([ok(0.9), PhotoEvidence("2.jpg", PhotoStatus.UNUSABLE, reason="dark")], ClosedBy.MARKER, [], Label.DAMAGED),
        ([ok(0.1), vanished("2.jpg")], ClosedBy.MARKER, [], Label.UNDECIDED),
        ([ok(0.1), vanished("2.jpg", 0.2)], ClosedBy.MARKER, [], Label.UNDECIDED),
        ([ok(0.1), vanished("2.jpg", 0.9)], ClosedBy.MARKER, [], Label.DAMAGED),
        ([ok(0.1), vanished("2.jpg", 0.1, content="sha")], ClosedBy.MARKER, [], Label.CLEAR),
        ([ok(0.1)], ClosedBy.DEADLINE, [], Label.UNDECIDED),
        ([ok(0.1)], ClosedBy.DEADLINE, ["2.jpg"], Label.UNDECIDED),
        ([], ClosedBy.MARKER, [], Label.UNDECIDED),
    ],
)
def test_the_policy(evidence: list[PhotoEvidence], closed_by: ClosedBy, missing: list[str], label: Label) -> None:
    assert decide(evidence, POLICY, closed_by, missing).label is label


@given(photos, policies, rules, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_bytes(
    evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy, rng: random.Random
) -> None:
    shuffled = evidence[:]
    rng.shuffle(shuffled)
    first, second = decide(evidence, policy, closed_by), decide(shuffled, policy, closed_by)
    assert canonical_json(first.reasons) == canonical_json(second.reasons)
    assert first.input_sha256 == second.input_sha256


@given(photos, policies, rules, st.floats(0, 1))
def test_a_damaged_photo_never_makes_a_set_clear(
    evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy, above: float
) -> None:
    threshold = policy.damaged_at_rank(1, len(evidence) + 1)
    damaged = ok(threshold + above * (1 - threshold), "new")
    assert decide([*evidence, damaged], policy, closed_by).label is Label.DAMAGED


@given(photos, policies, rules)
def test_a_photo_as_suspicious_as_any_never_makes_the_verdict_milder(
    evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy
) -> None:
    before = decide(evidence, policy, closed_by)
    assume(before.reasons["rule"] is not Rule.NO_VEHICLE)  # the first that does may make it clear
    after = decide([*evidence, ok(before.score or 0.0, "new")], policy, closed_by)
    assert before.score is None or SEVERITY.index(after.label) >= SEVERITY.index(before.label)


@given(photos, policies, rules, st.sampled_from([PhotoStatus.UNUSABLE, PhotoStatus.QUARANTINED]))
def test_an_unscored_photo_never_makes_a_set_clear(
    evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy, status: PhotoStatus
) -> None:
    assert decide([*evidence, PhotoEvidence("new", status, reason="x")], policy, closed_by).label is not Label.CLEAR


@given(st.lists(scored, min_size=1, max_size=6, unique_by=lambda photo: photo.key), policies, rules)
def test_a_copy_changes_nothing(evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy) -> None:
    copy = dataclasses.replace(evidence[0], key=evidence[0].key + "-copy")
    before, after = decide(evidence, policy, closed_by), decide([*evidence, copy], policy, closed_by)
    assert (before.label, before.score) == (after.label, after.score)
    assert before.reasons["thresholds"] == after.reasons["thresholds"]


def test_near_copies_count_once_and_as_the_most_suspicious() -> None:
    phash = "0" * 64
    first = dataclasses.replace(ok(0.1, "a"), content_sha256="1", phash=phash)
    second = dataclasses.replace(ok(0.2, "b"), content_sha256="2", phash=f"{2**36 - 1:064x}")
    other = dataclasses.replace(ok(0.1, "c"), content_sha256="3", phash=f"{2**37 - 1 << 128:064x}")
    reasons = decide([first, second, other], RATES, ClosedBy.MARKER).reasons
    assert reasons["thresholds"]["photos"] == 2
    assert [photo.get("counted_as") for photo in reasons["photos"]] == ["b", None, None]


def test_one_suspicious_photo_in_many_is_expected_and_four_are_not() -> None:
    def label(count: int, *suspicious: float) -> Label:
        intact = [dataclasses.replace(ok(0.05, f"{i}"), content_sha256=f"{i}") for i in range(count)]
        rest = [dataclasses.replace(ok(p, f"s{i}"), content_sha256=f"s{i}") for i, p in enumerate(suspicious)]
        return decide([*intact, *rest], RATES, ClosedBy.MARKER).label

    assert label(3, 0.985) is Label.DAMAGED
    assert label(30, 0.985) is Label.UNDECIDED
    assert label(38, 0.8) is Label.CLEAR
    assert label(30, 0.985, 0.985, 0.985, 0.985) is Label.DAMAGED


def test_photos_of_something_else_convict_nobody_and_clear_nobody() -> None:
    other = dataclasses.replace(ok(0.99, "cat.jpg"), content_sha256="cat", vehicle_distance=0.9)
    alone = decide([other], RATES, ClosedBy.MARKER)
    assert (alone.label, alone.reasons["rule"]) == (Label.UNDECIDED, Rule.NO_VEHICLE)
    assert alone.reasons["photos"][0]["shows_vehicle"] is False
    harmless = dataclasses.replace(other, probability=0.01)
    assert decide([ok(0.01), harmless], RATES, ClosedBy.MARKER).label is Label.CLEAR
    assert decide([ok(0.01), other], RATES, ClosedBy.MARKER).label is Label.UNDECIDED
    strict = RATES.model_copy(update={"undecided_when": ("photo_shows_no_vehicle",)})
    assert decide([ok(0.01), harmless], strict, ClosedBy.MARKER).label is Label.UNDECIDED


def test_a_reused_photo_is_named_and_where_the_policy_says_so_decides_nothing() -> None:
    reused = dataclasses.replace(ok(0.01), reused_from="returns/f/v/earlier/")
    decision = decide([reused], POLICY, ClosedBy.MARKER)
    assert decision.label is Label.CLEAR
    assert decision.reasons["photos"][0]["reused_from"] == "returns/f/v/earlier/"
    strict = POLICY.model_copy(update={"undecided_when": ("photo_reused",)})
    assert decide([reused], strict, ClosedBy.MARKER).label is Label.UNDECIDED


def test_too_few_photos_are_no_clear_return() -> None:
    policy = POLICY.model_copy(update={"least_photos": 2})
    assert decide([ok(0.1)], policy, ClosedBy.MARKER).label is Label.UNDECIDED
    assert decide([ok(0.9)], policy, ClosedBy.MARKER).label is Label.DAMAGED


def test_a_view_has_its_own_threshold() -> None:
    policy = POLICY.model_copy(update={"views": (ViewRule(name="tight", files=("tight*",), damaged_at=0.9),)})
    assert decide([ok(0.8, "r/tight-1.jpg")], policy, ClosedBy.MARKER).label is Label.UNDECIDED
    decision = decide([ok(0.8, "r/1.jpg")], policy, ClosedBy.MARKER)
    assert decision.label is Label.DAMAGED
    assert "view" not in decision.reasons["photos"][0]


def test_reasons_name_the_model_and_what_was_compared() -> None:
    model = ModelIdentity("m", "a" * 64, "b" * 64)
    reasons = decide([ok(0.9)], RATES, ClosedBy.MARKER, model=model).reasons
    assert reasons["model"] == {"name": "m", "weights_sha256": "a" * 64, "preprocess_sha256": "b" * 64}
    assert reasons["thresholds"]["damaged_at"] == RATES.damaged_at_rank(1, 1)
    assert reasons["thresholds"]["intact_share"] == pytest.approx(0.0264, abs=0.001)
    assert reasons["policy"] == RATES.model_dump(mode="json")


@given(photos, rules)
def test_the_input_hash_follows_every_input(evidence: list[PhotoEvidence], closed_by: ClosedBy) -> None:
    first = decide(evidence, POLICY, closed_by)
    other_policy = decide(evidence, Policy(damaged_at=0.61, clear_below=0.4), closed_by)
    other_photo = decide([*evidence, ok(0.1, "new")], POLICY, closed_by)
    assert len({first.input_sha256, other_policy.input_sha256, other_photo.input_sha256}) == 3


@pytest.mark.parametrize(
    "document",
    [
        {"damaged_at": 0.4, "clear_below": 0.6},
        {"damaged_at": 0, "clear_below": 0},
        {"damaged_at": 0.5},
        {"damaged_at": 0.5, "clear_below": 0.5, "rule": "x"},
        {"damaged_at": "0.5", "clear_below": 0.5},
        {"version": 2, "damaged_at": 0.5, "clear_below": 0.5},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(document)


STRANGE = dataclasses.replace(ok(0.1, "strange"), content_sha256="2", vehicle_distance=1.0)
REUSED = dataclasses.replace(ok(0.1, "reused"), content_sha256="3", reused_from="returns/f/v/earlier/")
CAREFUL = RATES.model_copy(
    update={"false_alarms": None, "undecided_when": ("photo_reused", "photo_shows_no_vehicle"), "least_photos": 1}
)


@pytest.mark.parametrize(
    ("evidence", "policy", "closed_by", "rule"),
    [
        ([ok(0.7)], CAREFUL, ClosedBy.MARKER, Rule.DAMAGE),
        ([], CAREFUL, ClosedBy.MARKER, Rule.NOTHING_SCORED),
        ([STRANGE], CAREFUL, ClosedBy.MARKER, Rule.NO_VEHICLE),
        ([ok(0.1), vanished("2.jpg")], CAREFUL, ClosedBy.MARKER, Rule.PHOTO_NOT_SCORED),
        ([ok(0.1)], CAREFUL, ClosedBy.DEADLINE, Rule.INCOMPLETE),
        ([ok(0.1)], CAREFUL.model_copy(update={"least_photos": 2}), ClosedBy.MARKER, Rule.TOO_FEW_PHOTOS),
        ([ok(0.1), REUSED], CAREFUL, ClosedBy.MARKER, Rule.PHOTO_REUSED),
        ([ok(0.1), REUSED], POLICY, ClosedBy.MARKER, Rule.CLEAR),
        ([ok(0.1), STRANGE], CAREFUL, ClosedBy.MARKER, Rule.PHOTO_WITHOUT_VEHICLE),
        ([ok(0.1), STRANGE], POLICY, ClosedBy.MARKER, Rule.CLEAR),
        ([ok(0.5)], CAREFUL, ClosedBy.MARKER, Rule.BETWEEN_THRESHOLDS),
        ([ok(0.1), vanished("2.jpg", 0.2)], CAREFUL, ClosedBy.MARKER, Rule.CLEAR_BUT_FOR_LOSS),
        ([ok(0.1)], CAREFUL, ClosedBy.MARKER, Rule.CLEAR),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else "",
)
def test_which_rule_decides(evidence: list[PhotoEvidence], policy: Policy, closed_by: ClosedBy, rule: Rule) -> None:
    assert decide(evidence, policy, closed_by).reasons["rule"] is rule


def test_the_bytes_of_a_verdict_are_those_of_the_first_version() -> None:
    """Stored verdicts are decided again by audits, and compared."""
    evidence = [
        dataclasses.replace(ok(0.3, "a/front.jpg"), phash="0" * 64, vehicle_distance=0.25),
        dataclasses.replace(ok(0.45, "a/rear.jpg"), phash="0" * 63 + "1", vehicle_distance=0.9),
        PhotoEvidence("a/3.jpg", PhotoStatus.QUARANTINED, "t" * 64, "truncated"),
        dataclasses.replace(ok(0.1, "a/4.jpg"), content_sha256="4", reused_from="b/"),
    ]
    decision = decide(evidence, RATES, ClosedBy.QUIET, ["a/5.jpg"], ModelIdentity("m", "a" * 64, "b" * 64))
    assert decision.input_sha256 == "05d4f5f2b9e55c7cbe4867284ed8ac6455f7037ecfdc7a5d1114fa573f4f206a"
    assert sha256_of(decision.reasons) == "53a55be92798a17ebd68e1a0f3000da70667f2ae7bb8aaa9d4a00194033a7918"


@pytest.mark.parametrize("copies", [1, 2, 10_000])
def test_a_set_of_ten_thousand_photos_is_decided_in_under_a_second(copies: int) -> None:
    rng = random.Random(0)
    evidence = []
    for number in range(10_000):
        if number % copies == 0:
            look = rng.getrandbits(256)
        phash = f"{look ^ 1 << rng.randrange(256):064x}"
        evidence.append(dataclasses.replace(ok(0.1, f"{number}.jpg"), content_sha256=f"{number:064x}", phash=phash))
    start = time.process_time()
    decision = decide(evidence, RATES, ClosedBy.MARKER)
    assert time.process_time() - start < 1
    assert decision.reasons["thresholds"]["photos"] == 10_000 // copies
