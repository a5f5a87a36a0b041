"""The life of an offer, as rules: the table of transitions is walked from every state by everybody."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.errors import Conflict, Forbidden, Invalid
from offers import states

NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)
EVERYBODY = (*states.ROLES, states.REVIEWER, states.PLATFORM)

REACHED = {
    ("submit", "draft"): "submitted",
    ("approve", "submitted"): "live",
    ("reject", "submitted"): "draft",
    ("reject", "approved"): "draft",
    ("reject", "live"): "draft",
    ("reject", "paused"): "draft",
    ("pause", "approved"): "paused",
    ("pause", "live"): "paused",
    ("resume", "paused"): "live",
    ("start", "approved"): "live",
    ("expire", "submitted"): "expired",
    ("expire", "approved"): "expired",
    ("expire", "live"): "expired",
    ("expire", "paused"): "expired",
    **{("archive", state): "archived" for state in states.STATES if state != "archived"},
}
MAY = {
    "submit": {"owner", "editor"},
    "approve": {"reviewer"},
    "reject": {"reviewer"},
    "pause": {"owner", "editor", "platform"},
    "resume": {"owner", "editor"},
    "start": {"platform"},
    "expire": {"platform"},
    "archive": {"owner"},
}


@pytest.mark.parametrize("action", MAY)
@pytest.mark.parametrize("state", states.STATES)
@pytest.mark.parametrize("role", EVERYBODY)
def test_each_step_is_for_its_people_and_from_its_states(action: str, state: str, role: str):
    def step() -> str:
        return states.moved(action, state, {role}, valid_from=None, now=NOW, reason="Because")

    if role not in MAY[action]:
        with pytest.raises(Forbidden):
            step()
    elif (action, state) not in REACHED:
        with pytest.raises(Conflict):
            step()
    else:
        assert step() == REACHED[action, state]
    assert (action in states.possible(state, {role})) is (role in MAY[action] and (action, state) in REACHED)


@pytest.mark.parametrize("action", ["approve", "resume"])
@pytest.mark.parametrize(("begins", "after"), [(None, "live"), (NOW, "live"), (NOW + timedelta(seconds=1), "approved")])
def test_what_is_approved_is_live_when_its_time_has_come(action: str, begins: datetime | None, after: str):
    before = "submitted" if action == "approve" else "paused"
    assert states.moved(action, before, EVERYBODY, valid_from=begins, now=NOW) == after


def test_a_rejection_wants_a_reason():
    with pytest.raises(Invalid) as refused:
        states.moved("reject", "submitted", {"reviewer"}, valid_from=None, now=NOW)
    assert refused.value.field == "reason"


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("field", states.AUTHORED)
@pytest.mark.parametrize("state", states.STATES)
def test_an_edit_of_what_members_see_is_never_shown_unread(state: str, field: str, role: str):
    if role not in ("owner", "editor"):
        with pytest.raises(Forbidden):
            states.edited(state, {role}, {field})
    elif state == "archived":
        with pytest.raises(Conflict):
            states.edited(state, {role}, {field})
    elif field in states.REVIEWED:
        assert states.edited(state, {role}, {field}) in ("draft", "submitted")
    else:
        assert states.edited(state, {role}, {field}) == state


@given(steps=st.lists(st.tuples(st.sampled_from([*MAY, "edit"]), st.sampled_from(EVERYBODY)), max_size=30))
def test_nothing_is_live_that_a_reviewer_has_not_approved_since_its_last_edit(steps: list[tuple[str, str]]):
    state, approved = "draft", False
    for action, role in steps:
        try:
            if action == "edit":
                state, approved = states.edited(state, {role}, {"title"}), False
            else:
                state = states.moved(action, state, {role}, valid_from=None, now=NOW, reason="Because")
                approved = {"approve": True, "reject": False}.get(action, approved)
        except (Forbidden, Conflict):
            continue
        assert approved or state not in ("approved", "live", "paused")
