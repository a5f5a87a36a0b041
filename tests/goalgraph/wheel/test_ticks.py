"""What ticks find, how far watermarks move, and what that costs."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.table.metering import metered
from goalgraph.wheel import repository, sweeping
from goalgraph.wheel.repository import Bucket
from tests.goalgraph.wheel.world import FREE, PREMIUM, Wheel, new_wheel

SHARDS = FREE + PREMIUM
MINUTE = timedelta(minutes=1)


def settled(wheel: Wheel):
    return wheel.minute - 10 * MINUTE


def test_an_entry_is_turned_when_its_minute_has_come_and_not_before(wheel):
    names = wheel.add(5, minutes=1)
    wheel.go_round()
    assert wheel.done(names) == []

    wheel.clock.advance(seconds=60)
    wheel.go_round()

    assert wheel.done(names) == names
    assert wheel.left() == []


def test_premium_members_have_a_queue_of_their_own(wheel):
    wheel.add(20)
    wheel.add(1, premium=True)
    wheel.tick()
    found = {(arguments["shard"], queue) for queue, _, arguments in wheel.queues.take()}
    assert found == {(0, "due"), (1, "due"), (2, "due-priority")}


def test_empty_minutes_cost_no_message_and_little_reading(wheel):
    wheel.tick()
    wheel.clock.advance(seconds=60)

    with metered() as meter:
        assert wheel.tick() == []

    assert wheel.queues.waiting == []
    assert wheel.watermarks() == [settled(wheel)] * SHARDS
    # For each shard: its watermark, the minute that is settled now (consistently), the eleven after it, and the watermark's move.
    assert meter.read_units == SHARDS * (0.5 + 1 + 11 * 0.5)
    assert meter.write_units == SHARDS
    assert meter.round_trips == 1 + SHARDS * (12 + 1)


def test_a_minute_with_an_entry_holds_its_watermark_until_it_is_swept(wheel):
    wheel.tick()
    wheel.clock.advance(seconds=60)
    (name,) = wheel.add(shard=1)
    begun = wheel.minute
    for _ in range(30):
        wheel.clock.advance(seconds=60)
        assert wheel.tick() == [Bucket(begun, 1)]
        wheel.queues.take()  # lost

    assert wheel.watermarks() == [settled(wheel), begun, settled(wheel)]
    wheel.go_round()
    assert wheel.done([name]) == [name]
    wheel.tick()
    assert wheel.watermarks() == [settled(wheel)] * SHARDS


def test_the_scheduler_may_be_down_for_ninety_minutes(wheel):
    wheel.tick()
    names = [name for minute in range(90) for name in wheel.add(3, minutes=minute)]
    wheel.clock.advance(minutes=90)

    found = wheel.tick()
    minutes = [arguments["minute"] for _, _, arguments in wheel.queues.waiting]
    wheel.queues.run()

    assert wheel.done(names) == names
    assert wheel.twice == {}
    assert minutes == sorted(minutes)
    assert found == sorted(found)


def test_more_than_a_tick_may_ask_for_is_left_to_the_next_ones(wheel):
    wheel.tick()
    names = [name for minute in range(sweeping.MOST_SWEEPS + 20) for name in wheel.add(minutes=minute, shard=0)]
    wheel.clock.advance(minutes=len(names))

    wheel.go_round()
    assert wheel.done(names) == names[: sweeping.MOST_SWEEPS]
    wheel.go_round()
    assert wheel.done(names) == names


def test_a_tick_ends_in_good_time_and_the_next_one_goes_on_where_it_lags_most(wheel, monkeypatch):
    wheel.tick()
    names = [name for shard in range(SHARDS) for name in wheel.add(shard=shard)]
    wheel.clock.advance(minutes=600)
    read = repository.has_work

    def slowly(*arguments, **options):
        wheel.clock.advance(seconds=0.1)
        return read(*arguments, **options)

    monkeypatch.setattr(repository, "has_work", slowly)
    ticks = 0
    while len(wheel.done(names)) < len(names):
        begun = wheel.clock.now()
        wheel.go_round()
        assert wheel.clock.now() - begun < timedelta(seconds=30)
        ticks += 1
        assert ticks < 20


def test_the_first_tick_begins_a_little_in_the_past(wheel):
    (recent,) = wheel.add(minutes=-59)
    (old,) = wheel.add(minutes=-61)
    wheel.go_round()
    assert wheel.done([recent, old]) == [recent]


def test_two_schedulers_five_minutes_apart_turn_each_entry_once(wheel):
    """The one that is ahead sees minutes empty before anything is written for them."""
    names = []
    for _ in range(40):
        names += wheel.add(2, minutes=1) + wheel.add(1)
        wheel.go_round()
        sweeping.tick(SYSTEM, wheel.clock.now() + timedelta(minutes=5))  # its sweeps go to workers with a true clock
        wheel.queues.run()
        wheel.clock.advance(seconds=60)
    wheel.go_round()

    assert wheel.done(names) == names
    assert wheel.twice == {}


def test_what_a_scheduler_ahead_asks_for_is_not_swept_before_its_time(wheel):
    names = wheel.add(3, minutes=3)
    assert sweeping.tick(SYSTEM, wheel.clock.now() + timedelta(minutes=5))
    wheel.queues.run()
    assert wheel.done(names) == []
    wheel.clock.advance(minutes=3)
    wheel.go_round()
    assert wheel.done(names) == names


def test_a_watermark_that_a_wrong_clock_moved_far_ahead_hides_nothing(wheel):
    for hours in (1, 5, 12):
        sweeping.tick(SYSTEM, wheel.clock.now() + timedelta(hours=hours))
    assert all(mark > wheel.minute for mark in wheel.watermarks())
    names = []
    for _ in range(15):
        names += wheel.add(2, minutes=1)
        wheel.clock.advance(seconds=60)
        wheel.go_round()
    assert wheel.done(names) == names


def test_a_watermark_never_moves_backwards(wheel):
    wheel.tick()
    before = repository.watermarks(SYSTEM, [0])[0]
    wheel.clock.advance(minutes=5)
    wheel.tick()
    moved = wheel.watermarks()

    repository.move_watermark(SYSTEM, 0, before, before.swept_until + MINUTE)  # a tick that was slow
    repository.move_watermark(SYSTEM, 1, None, before.swept_until)  # one that saw no watermark yet

    assert wheel.watermarks() == moved


def test_an_entry_that_is_written_late_is_found(wheel):
    """By a server whose clock lags, or in a race with the sweep."""
    for _ in range(12):
        wheel.go_round()
        wheel.clock.advance(seconds=60)
    names = [name for late in range(10) for name in wheel.add(minutes=-late)]
    wheel.go_round()
    assert wheel.done(names) == names


def test_a_broker_that_takes_nothing_fails_the_tick_and_loses_nothing(wheel):
    names = wheel.add(3)
    wheel.queues.down = True
    with pytest.raises(JobsUnavailable):
        wheel.tick()
    wheel.queues.down = False
    wheel.clock.advance(minutes=30)
    wheel.go_round()
    assert wheel.done(names) == names


def test_tenants_turn_apart(wheel):
    acme = wheel.in_tenant("acme")
    (ours,), (theirs,) = wheel.add(), acme.add()
    wheel.go_round()
    assert (wheel.done([ours, theirs]), acme.done([ours, theirs])) == ([ours], [])
    acme.go_round()
    assert acme.done([ours, theirs]) == [theirs]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(-4, 8)),
        st.tuples(st.just("tick"), st.integers(-5, 5)),
        st.tuples(st.just("work"), st.integers(0, 3)),
        st.tuples(st.just("lose"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 4)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
def test_whatever_the_clocks_the_order_and_the_losses_each_entry_is_turned_once(wheel, steps):
    """Ticks by clocks that are wrong by five minutes, writes up to four minutes late (together less than the overlap), and messages that
    are lost or wait."""
    with override_settings(PORTS=dict(django_settings.PORTS)):  # an empty table
        now = new_wheel()
        wheel.clock, wheel.queues = now.clock, now.queues
        wheel.twice.clear()
        names: list[str] = []
        for step, amount in steps:
            match step:
                case "write":
                    names += wheel.add(minutes=amount)
                case "tick":
                    sweeping.tick(SYSTEM, wheel.clock.now() + timedelta(minutes=amount))
                case "work" | "lose":
                    taken = wheel.queues.take()
                    wheel.queues.waiting = taken[:amount]
                    if step == "work":
                        wheel.queues.run()
                    wheel.queues.waiting += taken[amount:]
                case "wait":
                    wheel.clock.advance(minutes=amount)
        for _ in range(10):  # the entries of the next minutes come due
            wheel.go_round()
            wheel.clock.advance(seconds=60)
        assert wheel.done(names) == names
        assert wheel.twice == {}
