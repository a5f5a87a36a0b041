"""Ids that carry their place."""

from hypothesis import given
from hypothesis import strategies as st

from goalgraph.ids import ID_PATTERN, is_id, new_id
from goals.domain import GoalRef, TaskRef, progress

users = st.from_regex(ID_PATTERN, fullmatch=True)


@given(owner=users)
def test_a_public_id_leads_back_to_its_place(owner):
    goal = GoalRef(new_id(), owner)
    task = TaskRef(new_id(), goal)

    assert GoalRef.parse(str(goal)) == goal
    assert TaskRef.parse(str(task)) == task


@given(text=st.one_of(st.text(max_size=300), st.lists(users, max_size=4).map(".".join), st.lists(users, max_size=4).map("#".join)))
def test_whatever_parses_is_made_of_well_formed_ids(text):
    task, goal = TaskRef.parse(text), GoalRef.parse(text)

    assert goal is None or (is_id(goal.goal_id) and is_id(goal.owner_id) and str(goal) == text)
    assert task is None or (is_id(task.task_id) and is_id(task.goal.owner_id) and str(task) == text)


@given(tasks=st.integers(0, 50), data=st.data())
def test_progress_is_a_share(tasks, data):
    done = data.draw(st.integers(0, tasks))

    assert 0.0 <= progress(tasks, done) <= 1.0
    assert (progress(tasks, done) == 1.0) == (tasks > 0 and done == tasks)
