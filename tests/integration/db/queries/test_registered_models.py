"""The registered model versions with their verdicts and open work, on both databases."""

import pytest

from core.domain import ModelState
from core.errors import ModelUnusable
from db import queries
from db.session import Sessions
from db.transactions import activate_model, end_shadow, open_rescoring
from tests.photo_sets import POLICY, arrive, judge, register, set_ref, stored


@pytest.fixture
def versions(sessions: Sessions) -> tuple[int, int, int]:
    """An active version with a verdict and a waiting set, a candidate with one verdict, and a retired version."""
    first = register(sessions, "first")
    judge(sessions, arrive(sessions, set_ref(1), stored(set_ref(1), "a")).opened[0])
    arrive(sessions, set_ref(2), stored(set_ref(2), "a"))
    candidate = register(sessions, "candidate", ModelState.CANDIDATE)
    judge(sessions, open_rescoring(sessions, candidate, 1)[0])
    retired = register(sessions, "retired", ModelState.CANDIDATE)
    end_shadow(sessions, retired)
    return first, candidate, retired


def test_each_version_comes_with_what_it_did_and_what_waits(sessions: Sessions, versions: tuple[int, int, int]) -> None:
    rows = queries.model_versions(sessions)
    assert tuple(row.id for row in rows) == versions
    assert [(row.identity.name, row.state, row.verdicts, row.waiting) for row in rows] == [
        ("first", ModelState.ACTIVE, 1, 1),
        ("candidate", ModelState.CANDIDATE, 1, 0),
        ("retired", ModelState.RETIRED, 0, 0),
    ]
    assert rows[0].policy == POLICY


def test_those_that_serve_come_with_the_active_one_first(sessions: Sessions, versions: tuple[int, int, int]) -> None:
    first, candidate, _ = versions
    assert [row.id for row in queries.serving_models(sessions)] == [first, candidate]
    activate_model(sessions, candidate)
    assert [row.id for row in queries.serving_models(sessions)] == [candidate]


def test_a_version_is_found_by_id_name_or_state(sessions: Sessions, versions: tuple[int, int, int]) -> None:
    first, candidate, retired = versions
    references = {"active": first, "candidate": candidate, "retired": None, str(retired): retired, "first": first}
    for reference, expected in references.items():
        if expected is None:
            with pytest.raises(ModelUnusable, match="name one by its number"):
                queries.find_version(sessions, reference)
        else:
            assert queries.find_version(sessions, reference).id == expected
    with pytest.raises(ModelUnusable, match="is no model version of this database"):
        queries.find_version(sessions, "unknown")
    model = queries.model_by_id(sessions, retired)
    assert model is not None
    assert model.identity.name == "retired"
    assert queries.model_by_id(sessions, 99) is None
