"""Which entries of the wheel still count, whom they concern, and where they go."""

from datetime import datetime, timedelta

import pytest

from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Conflict, NotFound
from goalgraph.table.metering import metered
from goalgraph.table.port import TransactionCanceled
from goals import reminder_services, repository, services, task_services
from tests.fixtures import FakeClock, new_user
from tests.goals.world import due_entries_of
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def goal(actor):
    users.upsert_profile(actor, {"nickname": "Ana", "timezone": "Europe/Lisbon"})
    return services.create_goal(actor, {"title": "Run"})


def add(actor, goal, world, **fields):
    return task_services.add_task(actor, goal.id, {"title": "Step", "due_at": world.now() + timedelta(hours=1), **fields})


def due(entries, world):
    return reminder_services.due(SYSTEM, entries, world.now())


def turned(actor, world) -> list[reminder_services.Outcome]:
    """What is due by now, after it was taken from the wheel or moved on it."""
    outcomes = due([entry for entry in due_entries_of(actor) if entry.at <= world.now()], world)
    for outcome in outcomes:
        repository.write(SYSTEM, outcome.moving)
    return outcomes


def test_an_entry_tells_what_a_notice_needs_and_leaves(actor, goal, world):
    task = add(actor, goal, world)
    world.advance(hours=1)

    (outcome,) = turned(actor, world)

    assert (outcome.title, outcome.task_id, outcome.due_at, outcome.recipients) == ("Step", task.id, task.due_at, (actor.user_id,))
    assert (outcome.at, outcome.not_after) == (task.due_at, task.due_at + timedelta(hours=24))
    assert due_entries_of(actor) == []


def test_twentyfive_entries_are_looked_at_in_one_round_trip(actor, goal, world):
    for number in range(25):
        add(actor, goal, world, reminders=[{"minutes_before": number}])
    world.advance(hours=1)

    with metered() as meter:
        outcomes = due(due_entries_of(actor), world)

    assert [len(outcome.recipients) for outcome in outcomes] == [1] * 25
    assert (meter.round_trips, meter.read_units, meter.write_units) == (1, 26, 0)


@pytest.mark.parametrize("what", ["done", "deleted", "archived", "moved", "reminded otherwise"])
def test_what_was_overtaken_concerns_nobody_and_leaves(actor, goal, world, what):
    task = add(actor, goal, world)
    world.advance(hours=1)
    entries = due_entries_of(actor)
    match what:
        case "done":
            task_services.mark_task_done(actor, task.id)
        case "deleted":
            task_services.delete_task(actor, task.id)
        case "archived":
            services.archive_goal(actor, goal.id)
        case "moved":
            task_services.update_task(actor, task.id, {"due_at": task.due_at + timedelta(days=1)})
        case _:
            task_services.update_task(actor, task.id, {"reminders": [{"minutes_before": 0}]})
    left = [entry.key() for entry in due_entries_of(actor)]

    (outcome,) = due(entries, world)
    repository.write(SYSTEM, outcome.moving)

    assert outcome.recipients == ()
    assert [entry.key() for entry in due_entries_of(actor)] == [key for key in left if key != entries[0].key()]


def test_several_reminders_each_count(actor, goal, world):
    early = world.now() + timedelta(minutes=5)
    task = add(actor, goal, world, reminders=[{"minutes_before": 30}, {"minutes_before": 0}, {"at": early}])

    seen = []
    for minutes in (5, 25, 30):
        world.advance(minutes=minutes)
        seen += [(outcome.at, outcome.due_at) for outcome in turned(actor, world)]

    assert seen == [(early, task.due_at), (task.due_at - timedelta(minutes=30), task.due_at), (task.due_at, task.due_at)]
    assert due_entries_of(actor) == []


def test_owner_and_assigned_are_reminded_but_for_those_apart(actor, goal, world):
    helpers = [new_user() for _ in range(3)]
    for helper in helpers:
        users.upsert_profile(helper, {"nickname": "H"})
    add(actor, goal, world, assignees=[actor.user_id, *(helper.user_id for helper in helpers)])
    users.block(helpers[0], actor.user_id)
    users.block(actor, helpers[1].user_id)
    users.block(helpers[2], helpers[1].user_id)  # between the two of them

    (outcome,) = due(due_entries_of(actor), world)

    assert outcome.recipients == (actor.user_id, helpers[2].user_id)


def test_what_is_not_done_in_time_is_reminded_of_at_each_occurrence_until_it_is(actor, goal, world):
    evening = world.now() + timedelta(minutes=10)
    fields = {"repeat": "FREQ=DAILY;COUNT=4", "reminders": [{"minutes_before": 30}, {"at": evening}]}
    task = add(actor, goal, world, **fields)

    seen = []
    for _ in range(6 * 24):
        world.advance(hours=1)
        seen += [(outcome.at - task.due_at, outcome.due_at - task.due_at) for outcome in turned(actor, world)]

    half, fifty, day = timedelta(minutes=30), timedelta(minutes=50), timedelta(days=1)
    assert seen == [each for n in range(4) for each in ((n * day - fifty, n * day), (n * day - half, n * day))]
    assert due_entries_of(actor) == []


def test_doing_an_overdue_one_takes_its_reminders_along(actor, goal, world):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    world.advance(hours=26)
    turned(actor, world)
    assert [entry.task_ref for entry in due_entries_of(actor)] == [task.id]

    task_services.mark_task_done(actor, task.id)

    following = next(each for each in task_services.tasks(actor, goal.id) if each.status == "open")
    assert [(entry.task_ref, entry.at) for entry in due_entries_of(actor)] == [(following.id, task.due_at + timedelta(days=2))]


def test_what_counts_from_completion_is_reminded_of_once(actor, goal, world):
    add(actor, goal, world, repeat="FREQ=DAILY", repeat_from="completion")
    world.advance(hours=1)

    assert len(turned(actor, world)) == 1
    assert due_entries_of(actor) == []


def test_after_an_outage_of_days_one_tells_of_them_and_the_next_is_to_come(actor, goal, world):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    world.advance(days=3)

    (outcome,) = turned(actor, world)

    newest = task.due_at + timedelta(days=2)
    assert (outcome.at, outcome.due_at, outcome.not_after) == (newest, newest, newest + timedelta(hours=24))
    assert outcome.not_after > world.now()
    assert [entry.at for entry in due_entries_of(actor)] == [task.due_at + timedelta(days=3)]


def test_after_an_outage_longer_than_a_reminder_lives_the_one_of_an_hour_ago_is_still_given(actor, goal, world):
    task = add(actor, goal, world, repeat="FREQ=DAILY", reminders=[{"minutes_before": 30}])
    world.instant = task.due_at + timedelta(hours=24, minutes=30)

    (outcome,) = turned(actor, world)

    assert (outcome.at, outcome.due_at) == (world.now() - timedelta(hours=1), task.due_at + timedelta(days=1))
    assert outcome.not_after > world.now()
    assert [entry.at for entry in due_entries_of(actor)] == [outcome.at + timedelta(days=1)]


def test_what_comes_rarely_is_told_of_late_as_the_one_that_it_is(actor, goal, world):
    task = add(actor, goal, world, repeat="FREQ=WEEKLY")
    world.advance(days=3)

    (outcome,) = turned(actor, world)

    assert outcome.at == task.due_at
    assert [entry.at for entry in due_entries_of(actor)] == [task.due_at + timedelta(days=7)]


@pytest.mark.parametrize(
    "changes",
    [{"repeat": None}, {"repeat": "FREQ=WEEKLY"}, {"repeat_from": "completion"}, {"due_at": datetime.fromisoformat("2027-07-01T17:00Z")}],
)
def test_a_moved_reminder_counts_only_while_the_rule_says_so(actor, goal, world, changes):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    world.advance(hours=1)
    turned(actor, world)
    (moved,) = due_entries_of(actor)
    assert due([moved], world)[0].recipients == (actor.user_id,)

    task_services.update_task(actor, task.id, changes)

    assert due([moved], world)[0].recipients == ()


def test_a_member_who_moved_is_reminded_at_their_new_seven_oclock(actor, goal, world):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    users.upsert_profile(actor, {"timezone": "America/Sao_Paulo"})  # four hours behind Lisbon in summer
    world.advance(hours=1)
    turned(actor, world)

    assert [entry.at for entry in due_entries_of(actor)] == [task.due_at + timedelta(hours=28)]
    world.advance(hours=28)
    (outcome,) = turned(actor, world)
    assert (outcome.due_at, outcome.recipients) == (task.due_at + timedelta(hours=28), (actor.user_id,))


@pytest.mark.parametrize("change", ["done", "changed"])
def test_moving_holds_only_while_the_task_is_as_it_was_read(actor, goal, world, change):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    world.advance(hours=1)
    (outcome,) = due(due_entries_of(actor), world)
    if change == "done":
        task_services.mark_task_done(actor, task.id)
    else:
        task_services.update_task(actor, task.id, {"title": "Other"})
    before = [entry.key() for entry in due_entries_of(actor)]

    with pytest.raises(TransactionCanceled):
        repository.write(SYSTEM, outcome.moving)

    assert not reminder_services.drop(SYSTEM, outcome)
    assert [entry.key() for entry in due_entries_of(actor)] == before


def test_the_same_reminder_of_the_same_occurrence_has_one_name(actor, goal, world):
    add(actor, goal, world, repeat="FREQ=DAILY")
    names = []
    for _ in range(3):
        world.advance(days=1)
        entries = due_entries_of(actor)
        names += [due(entries, world)[0].dedupe for _ in range(2)]
        turned(actor, world)

    assert len(names) == 6
    assert len(set(names)) == 3


def concerns(actor, task_id, *due) -> bool:
    return reminder_services.still_concerns(SYSTEM, task_id, actor.user_id, *due)


def test_a_task_concerns_its_owner_while_it_and_its_goal_are_open(actor, goal, world):
    task, other = add(actor, goal, world), add(actor, goal, world)
    assert concerns(actor, task.id)

    task_services.mark_task_done(actor, task.id)
    assert [concerns(actor, each.id) for each in (task, other)] == [False, True]
    services.archive_goal(actor, goal.id)
    assert not any(concerns(actor, name) for name in (task.id, other.id, "no-such-thing", "a.b.c", ""))


def test_a_task_concerns_whom_it_is_assigned_to_for_as_long_as_it_is(actor, goal, world):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = add(actor, goal, world, assignees=[helper.user_id])
    assert [concerns(who, task.id, task.due_at) for who in (actor, helper, new_user())] == [True, True, False]

    task_services.update_task(actor, task.id, {"assignees": []})
    assert [concerns(who, task.id, task.due_at) for who in (actor, helper)] == [True, False]


def test_a_due_time_holds_until_the_task_is_moved(actor, goal, world):
    task = add(actor, goal, world)
    assert concerns(actor, task.id, task.due_at)

    task_services.update_task(actor, task.id, {"due_at": task.due_at + timedelta(days=30)})
    assert not concerns(actor, task.id, task.due_at)
    assert concerns(actor, task.id)


@pytest.mark.parametrize("change", [None, "zone", "moved", "renamed", "ended"])
def test_a_later_occurrence_holds_while_the_rule_gives_it_wherever_its_owner_is(actor, goal, world, change):
    task = add(actor, goal, world, repeat="FREQ=DAILY")
    world.advance(hours=1)
    turned(actor, world)
    world.advance(days=1)
    (outcome,) = turned(actor, world)
    match change:
        case "zone":
            users.upsert_profile(actor, {"timezone": "America/Sao_Paulo"})
        case "moved":
            task_services.update_task(actor, task.id, {"due_at": task.due_at + timedelta(hours=2)})
        case "renamed":
            task_services.update_task(actor, task.id, {"title": "Other"})
        case "ended":
            task_services.update_task(actor, task.id, {"repeat": None})

    assert outcome.due_wall is not None
    assert concerns(actor, task.id, outcome.due_at, outcome.due_wall) == (change not in ("moved", "ended"))


def test_a_tenants_tasks_are_found_in_their_tenant_only(world):
    ana = Actor("ana", tenant_id="acme")
    goal = services.create_goal(ana, {"title": "Run"})
    task = add(ana, goal, world)

    assert reminder_services.still_concerns(Actor("system", tenant_id="acme"), task.id, "ana")
    assert not reminder_services.still_concerns(SYSTEM, task.id, "ana")


def test_a_snooze_concerns_who_asked_for_it_and_takes_the_place_of_the_one_before(actor, goal, world):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = add(actor, goal, world, assignees=[helper.user_id], repeat="FREQ=DAILY")
    world.advance(hours=1)
    turned(actor, world)
    first, second = world.now() + timedelta(minutes=10), world.now() + timedelta(minutes=20)

    repository.write(helper, reminder_services.snooze(helper, task.id, "snooze-1", first, None))
    repository.write(helper, reminder_services.snooze(helper, task.id, "snooze-1", first, first))
    repository.write(helper, reminder_services.snooze(helper, task.id, "snooze-1", second, first))

    assert sorted(entry.at for entry in due_entries_of(actor)) == [second, task.due_at + timedelta(days=1)]
    world.instant = second
    (outcome,) = turned(actor, world)
    assert (outcome.recipients, outcome.due_at) == ((helper.user_id,), task.due_at)
    assert len(due_entries_of(actor)) == 1


def test_only_who_has_it_to_do_may_snooze_and_only_what_is_open(actor, goal, world):
    task = add(actor, goal, world)
    later = world.now() + timedelta(hours=2)

    for who, which in ((new_user(), task.id), (actor, "no.such.task"), (actor, "nonsense")):
        with pytest.raises(NotFound):
            reminder_services.snooze(who, which, "snooze-1", later, None)
    task_services.mark_task_done(actor, task.id)
    with pytest.raises(Conflict):
        reminder_services.snooze(actor, task.id, "snooze-1", later, None)


def test_a_snooze_of_whom_a_task_was_taken_from_is_dropped(actor, goal, world):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = add(actor, goal, world, assignees=[helper.user_id])
    repository.write(helper, reminder_services.snooze(helper, task.id, "snooze-1", world.now() + timedelta(minutes=5), None))
    task_services.decline_task(helper, task.id)
    world.advance(minutes=5)

    (outcome,) = turned(actor, world)

    assert outcome.recipients == ()
    assert [entry.at for entry in due_entries_of(actor)] == [task.due_at]
