"""What a sweep does with a bucket: groups, failures, leases, time, and processes that end at any point."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.table import keys, table
from goalgraph.table.port import TableUnavailable
from goalgraph.wheel import registry, sweeping
from goalgraph.wheel.repository import Bucket
from tests.faults import LosesAnswers
from tests.goalgraph.wheel.world import Wheel, name_of, new_wheel


class ProcessEnds(BaseException):
    """What SIGKILL is to a process: nobody catches it."""


class EndsAtWrite:
    """A table at whose `at`-th write from now the process ends, before it (`after` False) or after it took effect."""

    def __init__(self, adapter, at: int, *, after: bool) -> None:
        self.adapter, self.left, self.after = adapter, at, after

    def __getattr__(self, verb):
        call = getattr(self.adapter, verb)
        return call if verb in ("get", "get_many", "query") else lambda *arguments: self._write(call, arguments)

    def _write(self, call, arguments):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise ProcessEnds
        try:
            return call(*arguments)
        finally:
            if self.left == 0:
                raise ProcessEnds


@pytest.fixture
def table_in(monkeypatch):
    """Puts another adapter in the table's place."""
    return lambda adapter: monkeypatch.setattr(wiring, "table_adapter", lambda: adapter)


def sweep(wheel: Wheel, shard: int = 0, **options) -> sweeping.Swept:
    return sweeping.sweep(SYSTEM, Bucket(wheel.minute, shard), **options)


def lease(wheel: Wheel):
    return table(SYSTEM).get(keys.sweep_lease(wheel.minute, 0))


def wait_for_lease(wheel: Wheel) -> None:
    wheel.clock.advance(seconds=settings.WHEEL_LEASE_SECONDS + 1)


# All goes well ---------------------------------------------------------------------------------------------------------------------------


def test_a_turn_gets_entries_of_one_type_and_no_more_than_it_takes(wheel):
    names = set(wheel.add(130, shard=0))
    digests = {wheel.add_digest() for _ in range(30)}

    assert sweep(wheel) == sweeping.Swept(turned=160)

    assert {name for call in wheel.calls for name in call} == names | digests
    assert max(map(len, wheel.calls)) == registry.AT_ONCE
    assert all(set(call) <= names or set(call) <= digests for call in wheel.calls)
    assert wheel.left() == []
    assert lease(wheel) is None


def test_what_comes_while_it_is_swept_is_swept_too(wheel):
    names = wheel.add(3, shard=0)
    do = wheel.do

    def do_and_add(actor, entry):
        do(actor, entry)
        if len(names) < 10:
            names.extend(wheel.add(shard=0))

    wheel.do = do_and_add
    sweep(wheel)
    assert len(names) == 10
    assert wheel.done(names) == names


def test_lost_answers_of_the_table_change_nothing(wheel, table_in):
    table_in(LosesAnswers(wiring.table_adapter()))
    names = [name for minute in range(3) for name in wheel.add(4, minutes=-minute)]
    for _ in range(3):
        wheel.go_round()
        wheel.clock.advance(seconds=60)
    assert wheel.done(names) == names
    assert wheel.watermarks() == [wheel.minute - timedelta(minutes=11)] * 3


def test_tasks_that_come_twice_change_nothing(wheel):
    wheel.queues.doubling = True
    wheel.poison = set(wheel.add(1))
    names = wheel.add(40)
    for _ in range(3):
        wheel.go_round()
        wheel.clock.advance(seconds=60)
    assert wheel.done(names) == names
    assert wheel.twice == {}


# Leases ----------------------------------------------------------------------------------------------------------------------------------


def test_of_two_workers_one_sweeps(wheel):
    wheel.add(60, shard=0)
    others = []
    do = wheel.do
    wheel.do = lambda actor, entry: (others.append(sweep(wheel)), do(actor, entry))

    assert sweep(wheel).turned == 60
    assert set(map(repr, others)) == {repr(sweeping.Swept())}
    assert wheel.twice == {}


def test_a_long_sweep_renews_its_lease(wheel):
    wheel.add(100, shard=0)
    do = wheel.do

    def slowly(actor, entry):
        wheel.clock.advance(seconds=1)
        assert sweep(wheel) == sweeping.Swept()
        do(actor, entry)

    wheel.do = slowly
    with override_settings(WHEEL_SWEEP_SECONDS=1000, WHEEL_LEASE_SECONDS=60):
        bucket = Bucket(wheel.minute, 0)
        assert sweeping.sweep(SYSTEM, bucket).turned == 100
    assert wheel.twice == {}


def test_one_whose_lease_was_taken_stops(wheel):
    names = wheel.add(60, shard=0)
    bucket, turned = Bucket(wheel.minute, 0), []
    do = wheel.do

    def stall_once(actor, entry):
        do(actor, entry)
        if not turned:
            turned.append(None)
            wait_for_lease(wheel)
            turned.append(sweeping.sweep(SYSTEM, bucket).turned)

    wheel.do = stall_once
    with override_settings(WHEEL_SWEEP_SECONDS=1000):
        first = sweeping.sweep(SYSTEM, bucket).turned
    assert (first, turned[1]) == (registry.AT_ONCE, 59)
    assert wheel.done(names) == names


# Failures --------------------------------------------------------------------------------------------------------------------------------


def test_an_entry_that_fails_is_left_to_a_task_of_its_own_and_the_others_are_turned(wheel):
    names = wheel.add(60, shard=0)
    wheel.poison = {names[3], names[40]}
    good = [name for name in names if name not in wheel.poison]

    assert sweep(wheel) == sweeping.Swept(turned=58, failed=2)

    assert wheel.done(names) == good
    assert [(queue, name) for queue, name, _ in wheel.queues.waiting] == [("due", "goalgraph.wheel.tasks.turn_one")] * 2
    wheel.queues.run()
    assert len(wheel.queues.dead) == 2


def test_a_failed_entry_is_passed_by_and_holds_up_no_watermark(wheel):
    (name,) = wheel.poison = set(wheel.add(shard=0))
    wheel.go_round()
    asked = len(wheel.calls)
    for _ in range(12):
        wheel.clock.advance(seconds=60)
        wheel.go_round()

    assert len(wheel.calls) == asked
    assert len(wheel.queues.dead) == 1
    assert wheel.watermarks() == [wheel.minute - timedelta(minutes=10)] * 3
    assert wheel.entry(name)


def test_beside_a_failed_entry_others_are_found(wheel):
    wheel.poison = set(wheel.add(shard=0))
    wheel.go_round()
    (later,) = wheel.add(shard=0)
    wheel.go_round()
    assert wheel.done([later]) == [later]
    assert len(wheel.queues.dead) == 1  # nobody tried it again


def test_its_own_task_turns_it_when_the_trouble_is_over(wheel):
    (name,) = wheel.poison = set(wheel.add(shard=0))
    wheel.tick()
    sweep_task, *_ = wheel.queues.take()
    wheel.queues.waiting = [sweep_task]
    sweep(wheel)
    wheel.poison = set()
    wheel.queues.run()
    assert wheel.done([name]) == [name]
    assert list(sweeping.failed(SYSTEM)) == []


def test_a_mark_does_not_hold_for_an_entry_that_is_written_later_at_the_same_place(wheel):
    """The member moved the task away and back."""
    (name,) = wheel.poison = set(wheel.add(shard=0))
    wheel.go_round()
    entry = wheel.entry(name)
    table(SYSTEM).delete(entry.key())
    wheel.poison = set()
    wheel._add(name, wheel.minute, 0, premium=False)

    wheel.go_round()

    assert wheel.done([name]) == [name]


def test_an_entry_that_is_gone_needs_no_task(wheel):
    (name,) = wheel.poison = set(wheel.add(shard=0))
    sweep(wheel)
    table(SYSTEM).delete(wheel.entry(name).key())  # the task was done
    wheel.queues.run()
    assert wheel.queues.dead == []
    assert list(sweeping.failed(SYSTEM)) == []


def test_a_turn_that_leaves_its_entry_is_no_success(wheel):
    (name,) = wheel.add(shard=0)
    wheel.do = lambda actor, entry: None
    bucket = Bucket(wheel.minute, 0)
    assert sweep(wheel).turned == 1  # and comes to an end
    with pytest.raises(ValueError, match="left its entry"):
        sweeping.turn_one(SYSTEM, bucket, wheel.entry(name).key().sk)


def test_an_entry_that_nobody_turns_fails_alone(wheel, monkeypatch):
    wheel.add_digest()
    names = wheel.add(3, shard=0)
    monkeypatch.setattr(registry, "turns", lambda: {"DueEntry": wheel.turn})
    assert sweep(wheel) == sweeping.Swept(turned=3, failed=1)
    assert wheel.done(names) == names


def test_an_entry_of_an_unknown_type_holds_up_no_other_bucket(wheel):
    wheel.tick()
    names = wheel.add(3, shard=0)
    (strange,) = wheel.add(shard=0)
    wheel.clock.advance(seconds=60)
    names += wheel.add(3, shard=0)
    raw = wiring.table_adapter()._items[wheel.entry(strange).key()]
    raw["type"] = {"S": "OfANewerRelease"}

    found = wheel.tick()
    for bucket in found:
        with pytest.raises(ValueError, match="OfANewerRelease") if bucket.minute < wheel.minute else override_settings():
            sweeping.sweep(SYSTEM, bucket)

    assert len(found) == 2
    assert wheel.done(names) == names[3:]
    raw["type"] = {"S": "DueEntry"}
    wheel.go_round()
    assert wheel.done([*names, strange]) == [*names, strange]


def test_a_table_that_does_not_answer_says_nothing_about_an_entry(wheel):
    names = wheel.add(3, shard=0)
    do = wheel.do

    def refuse(actor, entry):
        raise TableUnavailable

    wheel.do = refuse
    with pytest.raises(TableUnavailable):
        sweep(wheel)
    assert list(sweeping.failed(SYSTEM)) == []
    assert lease(wheel) is None
    wheel.do = do
    assert sweep(wheel).turned == 3
    assert wheel.done(names) == names


def test_without_a_broker_no_entry_is_marked(wheel):
    """A mark without a task would hide it for ever."""
    wheel.poison = set(wheel.add(shard=0))
    wheel.queues.down = True
    with pytest.raises(JobsUnavailable):
        sweep(wheel)
    assert list(sweeping.failed(SYSTEM)) == []


def test_a_turn_that_takes_all_the_time_is_left_to_tasks_of_its_own(wheel):
    """As one does that hangs until the task's soft time limit."""
    names = wheel.add(4, shard=0)
    hanging = names[1]

    def hang(actor, entry):
        if name_of(entry) == hanging:
            wheel.clock.advance(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT)
            raise RuntimeError

    do, wheel.do = wheel.do, lambda actor, entry: (hang(actor, entry), do(actor, entry))
    bucket = Bucket(wheel.minute, 0)
    assert sweeping.sweep(SYSTEM, bucket).failed == 4
    calls = len(wheel.calls)
    wheel.queues.run()
    assert calls == 1
    assert wheel.done(names) == [name for name in names if name != hanging]
    assert [arguments["sk"].split("#")[1] for _, arguments in wheel.queues.dead] == [hanging]


def test_an_entry_that_ends_the_process_holds_up_its_bucket_for_some_minutes_only(wheel, monkeypatch):
    names = wheel.add(30, shard=0)
    deadly = names[0]

    def end(actor, entry):
        if name_of(entry) == deadly:
            raise ProcessEnds

    do, wheel.do = wheel.do, lambda actor, entry: (end(actor, entry), do(actor, entry))
    bucket = Bucket(wheel.minute, 0)
    with monkeypatch.context() as killed:
        killed.setattr(sweeping._Sweep, "give_back", lambda self: None)  # a process that is killed gives nothing back
        for _ in range(sweeping.DEADLY):
            with pytest.raises(ProcessEnds):
                sweeping.sweep(SYSTEM, bucket)
            wait_for_lease(wheel)
        sweeping.sweep(SYSTEM, bucket)

    for _, _, arguments in wheel.queues.take():
        if deadly not in arguments["sk"]:
            sweeping.turn_one(SYSTEM, bucket, arguments["sk"])
    assert wheel.done(names) == names[1:]


# Time and death --------------------------------------------------------------------------------------------------------------------------


def test_a_sweep_ends_before_the_tasks_time_limit_and_the_next_one_goes_on(wheel):
    names = wheel.add(200, shard=0)
    bucket = Bucket(wheel.minute, 0)
    do = wheel.do
    wheel.do = lambda actor, entry: (wheel.clock.advance(seconds=0.4), do(actor, entry))
    begun, turned = wheel.clock.now(), []
    while sum(turned) < len(names):
        turned.append(sweeping.sweep(SYSTEM, bucket).turned)
        assert wheel.clock.now() - begun < timedelta(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT)
        begun = wheel.clock.now()
    assert turned == [75, 75, 50]
    assert wheel.done(names) == names


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("wheel")
def test_a_process_may_end_at_every_write(after, table_in, monkeypatch):
    """Of a tick with its sweeps, one of which meets an entry that fails: what is left over is done by those who come later."""
    write = 0
    ended = True
    while ended:
        write += 1
        with override_settings(PORTS=dict(settings.PORTS)):  # an empty table
            table_in(wiring.port("table"))
            wheel = new_wheel()
            names = wheel.add(30)
            (bad,) = wheel.poison = set(wheel.add(shard=0))
            monkeypatch.setattr(registry, "turns", lambda wheel=wheel: wheel.turns)
            table_in(EndsAtWrite(wiring.port("table"), write, after=after))
            try:
                wheel.go_round()
                ended = False
            except ProcessEnds:
                pass
            table_in(wiring.port("table"))
            for _ in range(3):
                wait_for_lease(wheel)
                wheel.go_round()
            assert wheel.done([*names, bad]) == names
            assert bad in {sk.split("#")[1] for _, sk in sweeping.failed(SYSTEM)}
            assert bad in {arguments["sk"].split("#")[1] for _, arguments in wheel.queues.dead}
    assert write > 30
