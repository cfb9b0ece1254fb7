from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.canonical import canonical_json
from core.errors import PolicyInvalid
from core.policy import AuditSample, FalseAlarms, IntactPhotos, Policy, ViewRule, is_sampled, read_policy

INTACT = IntactPhotos(photos=200, levels=((0.9, -4.0), (0.5, -3.0), (0.25, -1.5)), tail_scale=1.5)
RATES = FalseAlarms(damaged_rate=0.05, undecided_rate=0.3, intact=INTACT)
POLICY = Policy(damaged_at=0.5, clear_below=0.4, false_alarms=RATES)


def test_levels_and_tail_are_read_both_ways() -> None:
    for share in (0.89, 0.6, 0.5, 0.3, 0.25, 0.1, 0.001):
        logit = INTACT.logit_reached_by(share)
        assert INTACT.share_reaching(1 / (1 + np.exp(-logit))) == pytest.approx(share)
    assert INTACT.share_reaching(1.0) == 0
    assert INTACT.share_reaching(0.0) == 1


def test_thresholds_follow_the_number_of_photos_up_to_a_bound() -> None:
    thresholds = [POLICY.damaged_at_rank(1, photos) for photos in (1, 4, 12, 40, 400)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[1] < thresholds[3]
    assert thresholds[3] == thresholds[4], "damage cannot be hidden among hundreds of photos"
    assert all(POLICY.clear_below_rank(1, n) <= POLICY.damaged_at_rank(1, n) for n in (1, 4, 12, 40, 400))


def test_without_rates_any_one_photo_decides() -> None:
    plain = Policy(damaged_at=0.6, clear_below=0.4)
    assert [plain.damaged_at_rank(1, photos) for photos in (1, 40)] == [0.6, 0.6]
    assert list(plain.ranks(40)) == [1]


@pytest.mark.parametrize("photos", [4, 10, 40])
def test_intact_returns_raise_as_many_alarms_whatever_their_size(photos: int) -> None:
    """Photos drawn from the distribution itself: five intact returns of a hundred are called damaged, of any size."""
    shares = np.random.default_rng(photos).random((20_000, photos))
    probability = np.array([_probability_reached_by(share) for share in np.linspace(1e-5, 1, 20_000)])
    drawn = np.sort(probability[(shares * 19_999).astype(int)], axis=1)[:, ::-1]
    thresholds = np.array([POLICY.damaged_at_rank(rank, photos) for rank in range(1, photos + 1)])
    alarms = (drawn >= thresholds).any(axis=1).mean()
    assert alarms == pytest.approx(0.05, abs=0.012)


def _probability_reached_by(share: float) -> float:
    return float(1 / (1 + np.exp(-INTACT.logit_reached_by(share))))


def test_a_view_is_what_the_file_name_says() -> None:
    policy = Policy(
        damaged_at=0.5,
        clear_below=0.4,
        views=(ViewRule(name="whole", files=("front*", "*_whole.jpg"), damaged_at=0.9),),
    )
    whole = policy.view_of("returns/f/v/r/FRONT-1.jpg")
    assert whole is not None
    assert whole.name == "whole"
    assert policy.view_of("front/f/v/r/1.jpg") is None, "folders tell nothing"
    assert (policy.damaged_at_rank(1, 4, whole), policy.damaged_at_rank(1, 4)) == (0.9, 0.5)
    assert policy.clear_below_rank(1, 4, whole) == 0.4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clear_below": 0.6}, "clear_below must not exceed damaged_at"),
        ({"damaged_at": "0.5"}, "damaged_at"),
        ({"version": 2}, "version"),
        ({"rule": "x"}, "rule"),
        ({"undecided_when": ["it rains"]}, "undecided_when"),
        ({"views": [{"name": "a"}, {"name": "a"}]}, "two views"),
        ({"views": [{"name": "a", "clear_below": 0.7}]}, "in view a"),
        (
            {"false_alarms": {"damaged_rate": 0.5, "undecided_rate": 0.1, "intact": INTACT.model_dump()}},
            "must not exceed",
        ),
    ],
)
def test_a_policy_file_that_makes_no_sense_is_refused_in_words(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "policy.json"
    path.write_text(canonical_json({"damaged_at": 0.5, "clear_below": 0.4} | change))
    with pytest.raises(PolicyInvalid, match=words) as raised:
        read_policy(path)
    assert str(path) in str(raised.value)


def test_a_policy_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(canonical_json(POLICY.model_dump(mode="json")))
    assert read_policy(path) == POLICY
    assert read_policy(path).sha256 == POLICY.sha256
    assert Policy.model_validate(POLICY.model_dump(mode="json")) == POLICY, "as it comes back from the database"
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        read_policy(tmp_path / "absent.json")


def test_levels_must_fall() -> None:
    with pytest.raises(ValidationError, match="falling"):
        IntactPhotos(photos=1, levels=((0.5, 0.0), (0.6, 1.0)), tail_scale=1.0)


@given(st.integers(0, 2**31), st.text(max_size=20), st.integers(1, 9))
def test_a_sample_is_drawn_once_and_for_all(seed: int, key: str, generation: int) -> None:
    audit = AuditSample(share=0.5, seed=seed)
    assert is_sampled(audit, key, generation) is is_sampled(audit, key, generation)
    assert is_sampled(AuditSample(share=1.0, seed=seed), key, generation)
    assert not is_sampled(AuditSample(share=0.0, seed=seed), key, generation)


def test_the_sample_has_its_share_and_follows_its_seed() -> None:
    keys = [f"returns/f/v/{number}/" for number in range(20_000)]
    drawn = [is_sampled(AuditSample(share=0.05, seed=1), key, 1) for key in keys]
    other = [is_sampled(AuditSample(share=0.05, seed=2), key, 1) for key in keys]
    assert np.mean(drawn) == pytest.approx(0.05, abs=0.006)
    assert np.mean(np.logical_and(drawn, other)) < 0.01
