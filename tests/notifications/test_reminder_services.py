"""Reminders on their way from the wheel to members: once each, never lost, and right when the task changes meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Conflict, Invalid, NotFound
from goalgraph.table import keys, table
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Adapter, TableUnavailable
from goals import services as goals
from goals import task_services as tasks
from goals.items import DueEntry, Task
from notifications import digest_services, reminder_services, services
from notifications.items import Notification
from tests.faults import LosesAnswers
from tests.fixtures import FakeClock
from tests.goals.interleaving import SteppingTable, orders
from tests.notifications.world import member, notice, platform, stored, wishes
from users import services as users


class FailingTable(MemoryTable):
    """Stops answering after so many transactions."""

    left = 1_000_000

    def transact(self, operations, token):
        type(self).left -= 1
        if type(self).left < 0:
            raise TableUnavailable("gone")
        super().transact(operations, token)


class ForgetfulTable(LosesAnswers):
    """A table in memory whose every answer gets lost once."""

    def __init__(self) -> None:
        super().__init__(MemoryTable())


def on(table_class: type) -> override_settings:
    return override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": f"{__name__}.{table_class.__name__}"}})


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def failing(world) -> Iterator[type[FailingTable]]:
    FailingTable.left = 1_000_000
    with on(FailingTable):
        yield FailingTable


@pytest.fixture
def stepping(world, adapter: Adapter) -> Iterator[Adapter]:
    """Each adapter in turn, call by call."""
    SteppingTable.adapter = adapter
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.goals.interleaving.SteppingTable"}}):
        yield adapter


def clock() -> FakeClock:
    """The one that services go by now: other ports come with another one."""
    found = wiring.clock()
    assert isinstance(found, FakeClock)
    return found


def plan(actor: Actor, *, goal=None, **fields) -> Task:
    """A task that is due in an hour."""
    goal = goal or goals.create_goal(actor, {"title": "Run"})
    due = wiring.clock().now() + timedelta(hours=1)
    return tasks.add_task(actor, goal.id, {"title": "Step", "due_at": due, **fields})


def bucket(task: Task, minute) -> list[DueEntry]:
    """What stands on the wheel for a task, or one that follows it, in a minute of any shard."""
    shards = range(settings.DUE_SHARDS + settings.DUE_PRIORITY_SHARDS)
    found = [entry for shard in shards for entry in table(SYSTEM).query(keys.due_bucket(minute, shard), consistent=True).items]
    return [entry for entry in found if entry.owner_id == task.owner_id]


def turn(actor: Actor, *entries: DueEntry) -> None:
    reminder_services.turn(platform(actor), entries, wiring.clock().now())


def turn_all(actor: Actor) -> None:
    now = wiring.clock().now()
    turn(actor, *(entry for entry in stored(actor, "DueEntry") if entry.at <= now))


def notes(actor: Actor) -> list[Notification]:
    return services.notifications_page(actor, limit=100).items


def test_a_reminder_is_told_once_and_leaves_the_wheel(world):
    ana = member()
    task = plan(ana)
    world.advance(hours=1)
    entries = stored(ana, "DueEntry")

    for _ in range(3):  # the same entries may come again
        turn(ana, *entries)

    (note,) = notes(ana)
    assert (note.kind, note.subject, note.happened_at) == ("reminder", task.id, task.due_at)
    assert note.facts == {"title": "Step", "taskId": task.id, "dueAt": "2027-07-01T13:00:00.000000Z"}
    assert "Step" in note.title + note.body
    assert {delivery.channel: delivery.not_after for delivery in stored(ana, "Delivery")} == dict.fromkeys(
        ("email", "push"), task.due_at + timedelta(hours=24)
    )
    assert stored(ana, "DueEntry") == []


def test_many_entries_of_several_members_are_turned_at_once(world):
    members = [member() for _ in range(5)]
    for one in members:
        goal = goals.create_goal(one, {"title": "Run"})
        for _ in range(5):
            plan(one, goal=goal)
    world.advance(hours=1)

    turn(SYSTEM, *(entry for one in members for entry in stored(one, "DueEntry")))

    assert [len(notes(one)) for one in members] == [5] * 5
    assert [stored(one, "DueEntry") for one in members] == [[]] * 5


def test_all_whom_the_task_concerns_are_told(world):
    ana, bruno, carla = member(), member(), member()
    plan(ana, assignees=[bruno.user_id, carla.user_id])
    users.block(carla, ana.user_id)
    world.advance(hours=1)

    turn_all(ana)

    assert [len(notes(one)) for one in (ana, bruno, carla)] == [1, 1, 0]
    assert [notes(one)[0].facts.get("memberId") for one in (ana, bruno)] == [None, ana.user_id]


def test_a_digest_leaves_out_the_reminder_of_somebody_who_is_blocked_by_then(world):
    ana, bruno = member(), member()
    wishes(bruno, kinds={"reminder": {"email": "digest"}})
    plan(ana, assignees=[bruno.user_id])
    world.advance(hours=1)
    turn_all(ana)
    (entry,) = stored(bruno, "DigestEntry")
    users.block(bruno, ana.user_id)

    world.instant = entry.at
    digest_services.turn(platform(bruno), [entry], world.now())

    assert [note for note in notes(bruno) if note.kind == "digest" and note.facts["notes"]] == []


def test_after_an_outage_of_more_than_a_day_what_came_an_hour_ago_is_sent(world):
    ana = member()
    task = plan(ana, repeat="FREQ=DAILY")
    world.instant = task.due_at + timedelta(hours=25)

    turn_all(ana)
    turn_all(ana)

    (note,) = notes(ana)
    assert note.happened_at == task.due_at + timedelta(days=1)
    assert {why.channel: why.decision for why in services.why(ana, note.note_id)}["push"] == "send"
    assert [entry.at for entry in stored(ana, "DueEntry")] == [task.due_at + timedelta(days=2)]


def test_what_is_too_late_is_kept_as_expired_and_not_sent(world):
    ana = member()
    plan(ana)
    world.advance(hours=26)

    turn_all(ana)

    (note,) = notes(ana)
    assert {why.channel: (why.decision, why.reason) for why in services.why(ana, note.note_id)} == {
        "in_app": ("send", "wanted"),
        "email": ("drop", "expired"),
        "push": ("drop", "expired"),
        "sms": ("drop", "off"),
    }
    assert stored(ana, "Delivery") == stored(ana, "DueEntry") == []


def test_a_habit_that_is_not_done_is_told_of_every_day(world):
    ana = member(timezone="America/Sao_Paulo")
    task = plan(ana, repeat="FREQ=DAILY")
    for _ in range(72):
        world.advance(hours=1)
        turn_all(ana)

    days = [task.due_at + timedelta(days=day) for day in range(3)]
    assert sorted(note.happened_at for note in notes(ana)) == days
    assert [entry.at for entry in stored(ana, "DueEntry")] == [days[-1] + timedelta(days=1)]


@pytest.mark.parametrize("dies_after", range(4))
def test_whoever_goes_on_after_a_death_half_way_leaves_nobody_out(failing, dies_after):
    world = clock()
    ana, bruno, carla = everyone = member(), member(), member()
    plan(ana, assignees=[bruno.user_id, carla.user_id], repeat="FREQ=DAILY")
    world.advance(hours=1)
    entries = stored(ana, "DueEntry")
    failing.left = dies_after
    if dies_after < len(everyone):
        with pytest.raises(TableUnavailable):
            turn(ana, *entries)
        assert [entry.key() for entry in stored(ana, "DueEntry")] == [entry.key() for entry in entries]

    failing.left = 1_000_000
    turn(ana, *entries)

    assert [len(notes(one)) for one in everyone] == [1, 1, 1]
    assert [entry.at for entry in stored(ana, "DueEntry")] == [entries[0].at + timedelta(days=1)]


def test_with_every_answer_lost_once_each_is_told_once():
    with on(ForgetfulTable):
        world = clock()
        ana, bruno = member(), member()
        plan(ana, assignees=[bruno.user_id])
        task = plan(ana)
        other = plan(ana, repeat="FREQ=DAILY")
        world.advance(hours=1)
        turn(ana, *bucket(task, other.due_at))

        assert (len(notes(ana)), len(notes(bruno))) == (3, 1)
        assert bucket(task, other.due_at) == []
        assert len(bucket(task, other.due_at + timedelta(days=1))) == 1


# While the task changes --------------------------------------------------------------------------------------------------------------

SWEEP, MEMBER = 0, 1


@pytest.mark.parametrize("repeat", [None, "FREQ=DAILY"])
@pytest.mark.parametrize("change", ["done", "renamed", "moved", "deleted"])
def test_in_every_order_of_a_sweep_and_a_change_what_is_told_fits_what_was_first(stepping, repeat, change):
    world = clock()
    ana, number = member(), 0
    goal, begin = goals.create_goal(ana, {"title": "Run"}), world.now()
    for number, run in enumerate(orders(), 1):
        world.instant = begin + timedelta(days=number * 7)
        told = len(notes(ana))
        task = plan(ana, goal=goal, repeat=repeat)
        due, tomorrow = task.due_at, task.due_at + timedelta(days=1)
        world.instant = due
        entries = bucket(task, due)
        changes = {
            "done": lambda task=task: tasks.mark_task_done(ana, task.id),
            "renamed": lambda task=task: tasks.update_task(ana, task.id, {"title": "Other"}),
            "moved": lambda task=task, at=due + timedelta(hours=5): tasks.update_task(ana, task.id, {"due_at": at}),
            "deleted": lambda task=task: tasks.delete_task(ana, task.id),
        }

        run(lambda entries=entries: turn(ana, *entries), changes[change])

        assert run.written, "nothing was written"
        first = run.written.index(SWEEP) < run.written.index(MEMBER) if SWEEP in run.written else False
        assert len(notes(ana)) - told == (1 if change == "renamed" else int(first))
        assert bucket(task, due) == []
        standing = [entry.task_id == task.task_id for entry in bucket(task, tomorrow)]
        assert standing == {"done": [False], "renamed": [True], "deleted": [], "moved": []}[change] * int(repeat is not None)
        assert len(bucket(task, due + timedelta(hours=5))) == int(change == "moved")
        clear(ana, goal)
    assert number >= 10


@pytest.mark.parametrize("repeat", [None, "FREQ=DAILY"])
def test_in_every_order_of_two_sweeps_one_of_them_tells(stepping, repeat):
    world = clock()
    ana, number = member(), 0
    goal, begin = goals.create_goal(ana, {"title": "Run"}), world.now()
    for number, run in enumerate(orders(), 1):
        world.instant = begin + timedelta(days=number * 7)
        told = len(notes(ana))
        task = plan(ana, goal=goal, repeat=repeat)
        world.instant = task.due_at
        entries = bucket(task, task.due_at)

        run(*[lambda entries=entries: turn(ana, *entries)] * 2)

        assert len(notes(ana)) - told == 1
        assert bucket(task, task.due_at) == []
        assert len(bucket(task, task.due_at + timedelta(days=1))) == int(repeat is not None)
        clear(ana, goal)
    assert number >= 10


def clear(actor: Actor, goal) -> None:
    for task in tasks.tasks(actor, goal.id):
        tasks.delete_task(actor, task.id)


def test_on_dynamodb_with_many_at_once_what_is_told_fits_too(dynamo_table):
    SteppingTable.adapter = dynamo_table
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.goals.interleaving.SteppingTable"}}):
        world, ana = clock(), member()
        goal = goals.create_goal(ana, {"title": "Run"})
        planned = [plan(ana, goal=goal, repeat="FREQ=DAILY" if number % 2 else None) for number in range(24)]
        world.advance(hours=1)
        now, tomorrow = world.now(), world.now() + timedelta(days=1)
        entries = bucket(planned[0], now)
        assert len(entries) == len(planned)

        def change(number: int) -> None:
            if number % 3 == 0:
                tasks.mark_task_done(ana, planned[number].id)
            else:
                tasks.update_task(ana, planned[number].id, {"title": f"Other {number}"})

        def sweep(number: int) -> None:
            turn(ana, *entries[number * 6 % 24 : number * 6 % 24 + 6])

        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(change, number) for number in range(24)] + [pool.submit(sweep, number) for number in range(8)]
            for job in jobs:
                job.result()

        told = [note.subject for note in notes(ana)]
        left = {task.id: task for task in tasks.tasks(ana, goal.id) if task.status == "open"}
        assert len(told) == len(set(told))
        assert set(told) >= {task.id for task in planned if task.id in left}
        assert bucket(planned[0], now) == []
        assert {entry.task_ref for entry in bucket(planned[0], tomorrow)} == {task.id for task in left.values() if task.repeat}
        assert goals.goal(ana, goal.id).task_count == 24


# Snooze ------------------------------------------------------------------------------------------------------------------------------


def reminded(world, **fields) -> tuple[Actor, Task, Notification]:
    ana = member()
    task = plan(ana, **fields)
    world.advance(hours=1)
    turn_all(ana)
    return ana, task, notes(ana)[0]


def test_a_reminder_that_was_put_off_comes_again_and_can_be_put_off_again(world):
    ana, task, note = reminded(world)

    put_off = reminder_services.snooze(ana, note.note_id, 10)
    assert put_off.snoozed_until == world.now() + timedelta(minutes=10)
    turn_all(ana)
    assert len(notes(ana)) == 1
    world.advance(minutes=10)
    turn_all(ana)
    again, first = notes(ana)

    assert (first.note_id, again.subject, again.happened_at) == (note.note_id, task.id, put_off.snoozed_until)
    assert again.facts["dueAt"] == note.facts["dueAt"]
    reminder_services.snooze(ana, again.note_id, 10)
    world.advance(minutes=10)
    turn_all(ana)
    assert len(notes(ana)) == 3
    assert stored(ana, "DueEntry") == []


def test_putting_off_twice_makes_one_reminder_the_later_word_counts(world):
    ana, _, note = reminded(world)

    for minutes in (10, 10, 60, 5):
        reminder_services.snooze(ana, note.note_id, minutes)
        world.advance(seconds=20)

    assert [entry.at for entry in stored(ana, "DueEntry")] == [world.now() - timedelta(seconds=20) + timedelta(minutes=5)]


def test_only_the_one_who_put_it_off_hears_again(world):
    ana, bruno = member(), member()
    plan(ana, assignees=[bruno.user_id])
    world.advance(hours=1)
    turn_all(ana)

    reminder_services.snooze(bruno, notes(bruno)[0].note_id, 10)
    world.advance(minutes=10)
    turn_all(ana)

    assert (len(notes(ana)), len(notes(bruno))) == (1, 2)


def test_what_was_done_meanwhile_does_not_come_again(world):
    ana, task, note = reminded(world)
    reminder_services.snooze(ana, note.note_id, 10)
    tasks.mark_task_done(ana, task.id)
    world.advance(minutes=10)
    turn_all(ana)

    assert len(notes(ana)) == 1
    assert stored(ana, "DueEntry") == []
    with pytest.raises(Conflict):
        reminder_services.snooze(ana, note.note_id, 10)


def test_only_reminders_of_ones_own_can_be_put_off_within_a_week(world):
    ana, _, note = reminded(world)
    services.notify(platform(ana), [notice(ana, "badge", facts={"badgeId": "first_task"})])
    badge = next(each for each in notes(ana) if each.kind == "badge")

    for minutes in (0, -5, 7 * 24 * 60 + 1):
        with pytest.raises(Invalid) as refused:
            reminder_services.snooze(ana, note.note_id, minutes)
        assert refused.value.field == "minutes"
    with pytest.raises(Invalid) as refused:
        reminder_services.snooze(ana, badge.note_id, 10)
    assert refused.value.field == "id"
    for who, which in ((member(), note.note_id), (ana, "nothing"), (ana, "a#b")):
        with pytest.raises(NotFound):
            reminder_services.snooze(who, which, 10)
    assert stored(ana, "DueEntry") == []


def test_putting_off_with_every_answer_lost_makes_one_reminder():
    with on(ForgetfulTable):
        world = clock()
        ana = member()
        task = plan(ana)
        world.advance(hours=1)
        turn(ana, *bucket(task, task.due_at))
        reminder_services.snooze(ana, notes(ana)[0].note_id, 10)

        assert len(bucket(task, world.now() + timedelta(minutes=10))) == 1
