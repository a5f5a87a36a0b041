"""What events are worth: given once, taken back once, in whatever order they come, whoever works at the same time, whatever gets lost."""

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gamification import services
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.memory import MemoryTable
from goalgraph.table.metering import metered
from goalgraph.table.port import TableUnavailable
from tests.faults import LosesAnswers
from tests.fixtures import new_user
from tests.gamification.world import NOON, completed, connected, goal_created, handle, reopened, set_clock, sums, total
from users import services as users

DAY = timedelta(days=1)


class ForgetfulTable(LosesAnswers):
    """A table in memory whose every answer gets lost once."""

    def __init__(self) -> None:
        super().__init__(MemoryTable())


class DyingTable(MemoryTable):
    """A table in memory on which each process dies at its `dies_at`-th write, before it or after it took effect."""

    dies_at, before = 0, False

    def transact(self, operations, token):
        self._write(lambda: super(DyingTable, self).transact(operations, token))

    def put(self, raw, condition):
        self._write(lambda: super(DyingTable, self).put(raw, condition))

    def _write(self, write):
        cls = type(self)
        cls.dies_at -= 1
        if cls.dies_at != 0:
            write()
            return
        if not cls.before:
            write()
        raise TableUnavailable("dead")


def ports_with(backend: type) -> dict[str, dict[str, str]]:
    here = {"table": f"{__name__}.{backend.__name__}", "clock": "tests.fixtures.FakeClock", "live": "goalgraph.adapters.live.RecordingLive"}
    return settings.PORTS | {name: {"BACKEND": path} for name, path in here.items()}


@pytest.fixture
def forgetful_world() -> Iterator[None]:
    with override_settings(PORTS=ports_with(ForgetfulTable)):
        yield


@pytest.fixture
def dying_world() -> Iterator[type[DyingTable]]:
    DyingTable.dies_at = 0
    with override_settings(PORTS=ports_with(DyingTable)):
        yield DyingTable


# What things are worth ------------------------------------------------------------------------------------------------------------------


def test_a_task_gives_points_to_who_did_it_and_begins_a_streak(memory_world, actor):
    handle(completed(actor, "t"))

    stats = services.game_stats(actor)
    assert (stats.score, stats.level, stats.badges) == (15, 1, ["first_task"])
    assert (stats.streak.current, stats.streak.done_today) == (1, True)
    assert sums(actor)["2027Q3"] == 15


def test_in_time_and_for_somebody_else_a_task_gives_more(memory_world, actor):
    owner = new_user()
    handle(completed(actor, "in time", dueAt="2027-07-01T12:00:00.000000Z"))
    assert total(actor).score == 20
    handle(completed(actor, "late", dueAt="2027-07-01T11:59:59.000000Z"))
    assert total(actor).score == 30
    handle(completed(actor, "helped", owner=owner.user_id))
    assert total(actor).score == 45
    assert total(owner).score == 0


def test_goals_and_connections_give_points_but_no_streak(memory_world, actor):
    other = new_user()
    handle(goal_created(actor, "g"), connected(actor, other))

    assert (total(actor).score, total(other).score) == (30, 10)
    assert services.game_stats(actor).streak.current == 0
    assert services.game_stats(actor).badges == ["first_goal", "first_connection"]


def test_other_events_give_nothing(memory_world, actor):
    event = completed(actor, "t")
    for odd in ({"type": "task.changed"}, {"data": {**event.data, "doneBy": None}}, {"data": {**event.data, "doneBy": "no#id"}}):
        handle(type(event)(**{name: getattr(event, name) for name in event.__slots__} | odd))
    assert total(actor).version is None


def test_farming_pays_up_to_the_cap_of_the_day_and_again_the_next_day(memory_world, actor):
    handle(*(completed(actor, f"t{number}") for number in range(30)))
    assert total(actor).score == 100 + 5
    handle(*(completed(actor, f"n{number}", NOON + DAY) for number in range(30)))
    assert total(actor).score == 210
    handle(*(goal_created(actor, f"g{number}") for number in range(9)))
    assert total(actor).score == 250
    assert total(actor).counts["task"] == 60


def test_settings_override_what_is_worth_what(memory_world, actor):
    with override_settings(GAME_RULES={"task": {"points": 3, "cap": 4}}):
        handle(completed(actor, "a"), completed(actor, "b"))
    assert total(actor).score == 4 + 5


def test_the_day_is_the_one_of_the_members_own_zone(memory_world, actor):
    """11 in the evening of 1 July in Hawaii, and 1 in the morning of the 2nd: two days there, one in UTC."""
    users.upsert_profile(actor, {"timezone": "Pacific/Honolulu"})
    late = NOON.replace(hour=9) + DAY
    handle(completed(actor, "a", late), completed(actor, "b", late + timedelta(hours=2)))
    assert total(actor).streak_current == 2
    assert total(actor).score == 30


def test_a_season_ends_for_everybody_at_once_and_all_time_goes_on(memory_world, actor):
    users.upsert_profile(actor, {"timezone": "Pacific/Honolulu"})
    last = NOON.replace(hour=0) - timedelta(minutes=1)
    handle(completed(actor, "a", last), completed(actor, "b", last + timedelta(minutes=2)))

    assert (total(actor, "2027Q2").score, total(actor, "2027Q3").score, total(actor).score) == (15, 15, 30)
    assert total(actor).streak_current == 1
    shown = [(each.season.id, each.current, each.score) for each in services.seasons(actor)]
    assert shown == [("2027Q3", True, 15), ("2027Q2", False, 15), ("all", True, 30)]


def test_members_of_two_tenants_with_one_id_earn_apart(memory_world):
    here, there = Actor("ana", tenant_id="acme"), Actor("ana")
    handle(completed(here, "t"))
    assert (total(here).score, total(there).score) == (15, 0)


def test_premium_members_keep_more_freezes_and_what_follows_goes_first(memory_world, actor):
    handle(*(completed(actor, f"t{day}", NOON + day * DAY, priority=True) for day in range(28)))
    assert total(actor).streak_freezes == 4
    assert total(actor).premium


# Taken back -----------------------------------------------------------------------------------------------------------------------------


def test_reopening_takes_back_what_the_completion_gave(memory_world, actor):
    handle(completed(actor, "a"))
    before = sums(actor)
    handle(completed(actor, "b", NOON + DAY, dueAt="2027-08-01T00:00:00.000000Z"), reopened(actor, "b", NOON + DAY))

    after = sums(actor)
    assert before == after
    assert services.game_stats(actor).badges == ["first_task"]


def test_the_first_task_of_a_day_brings_its_bonus_while_any_task_of_the_day_is_done(memory_world, actor):
    handle(completed(actor, "a"), completed(actor, "b"), reopened(actor, "a"))
    assert (total(actor).score, total(actor).streak_current) == (15, 1)
    handle(reopened(actor, "b"))
    assert (total(actor).score, total(actor).streak_current, total(actor).streak_day) == (0, 0, None)


def test_what_is_done_again_is_another_completion(memory_world, actor):
    again = NOON + timedelta(hours=2)
    handle(completed(actor, "a"), reopened(actor, "a"), completed(actor, "a", again), reopened(actor, "a", again), reopened(actor, "a"))
    assert total(actor).score == 0
    handle(completed(actor, "a", again + timedelta(hours=1)))
    assert total(actor).score == 15


@pytest.mark.parametrize("twice", [False, True])
def test_in_every_order_the_sums_are_the_same(memory_world, twice):
    """Two tasks done, one of them reopened and done again, with each event once or twice."""

    def events(member: Actor) -> list:
        again = NOON + timedelta(hours=2)
        once = [completed(member, "a"), reopened(member, "a"), completed(member, "a", again), completed(member, "b", NOON + DAY)]
        return once

    outcomes = []
    for order in itertools.permutations(range(4)):
        member = new_user()
        arriving = [events(member)[place] for place in order]
        handle(*arriving, *(arriving if twice else []))
        outcomes.append(sums(member))
    assert outcomes == [outcomes[0]] * 24
    assert outcomes[0]["score"] == 30
    assert outcomes[0]["streak"][:2] == (2, 2)


STORY = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 23), st.integers(0, 3), st.booleans()), max_size=14, unique_by=lambda it: it[:3]
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=STORY, seed=st.integers(0, 10**6))
def test_in_whatever_order_a_fortnight_arrives_and_however_often_the_sums_are_the_same(memory_world, story, seed):
    """Things done on days and hours, some of them reopened; shuffled, and some of it repeated."""

    def events(member: Actor) -> list:
        done = [(f"{number}", NOON + timedelta(days=day, hours=hour), undo) for day, hour, number, undo in story]
        return [completed(member, task, at) for task, at, _ in done] + [reopened(member, task, at) for task, at, undo in done if undo]

    shuffled, plain, chance = new_user(), new_user(), random.Random(seed)
    handle(*events(plain))
    arriving = events(shuffled)
    arriving += chance.choices(arriving, k=5) if arriving else []
    chance.shuffle(arriving)
    handle(*arriving)

    assert sums(shuffled) == sums(plain)


def test_what_is_reopened_after_its_event_has_expired_takes_nothing_back(memory_world, actor):
    handle(completed(actor, "a"))
    set_clock(NOON + 401 * DAY)
    handle(reopened(actor, "a"))
    assert total(actor).score == 15


# Faults ---------------------------------------------------------------------------------------------------------------------------------


def test_the_second_time_an_event_does_nothing_but_say_again_that_something_changed(memory_world, actor):
    handle(completed(actor, "a"))
    before = total(actor)
    with metered() as meter:
        handle(completed(actor, "a"))
    assert meter.write_units == 0
    assert total(actor).attribute_values == before.attribute_values
    assert len(wiring.live().announced) == 2


def test_with_1000_answers_lost_counts_and_streaks_are_exact(forgetful_world, actor):
    days = 100
    for day in range(days):
        at = NOON + day * DAY
        handle(
            completed(actor, f"a{day}", at),
            completed(actor, f"b{day}", at),
            completed(actor, f"c{day}", at),
            reopened(actor, f"c{day}", at),
        )

    found = total(actor)
    assert found.score == days * 25
    assert (found.streak_current, found.streak_longest, found.counts["task"]) == (days, days, 2 * days)
    assert total(actor, "2027Q3").score + total(actor, "2027Q4").score == found.score


@pytest.mark.parametrize("before", [True, False])
def test_wherever_a_process_dies_the_next_try_finishes_it(dying_world, before):
    for dies_at in range(1, 5):
        actor = new_user()
        dying_world.dies_at, dying_world.before = dies_at, before
        for event in (completed(actor, "a"), completed(actor, "b"), reopened(actor, "a"), completed(actor, "c", NOON + DAY)):
            while True:
                try:
                    handle(event)
                except TableUnavailable:
                    continue
                break
        assert (total(actor).score, total(actor).streak_current, total(actor).counts["task"]) == (30, 2, 2)


@pytest.mark.usefixtures("dynamo_world")
def test_on_dynamodb_many_at_once_and_each_twice_count_exactly(actor):
    other = new_user()
    events = [completed(actor, f"t{number}", NOON + (number % 8) * DAY) for number in range(24)]
    undone = [reopened(actor, f"t{number}", NOON + (number % 8) * DAY) for number in range(0, 24, 4)]
    work = [*events, *undone, connected(actor, other)] * 2
    random.Random(7).shuffle(work)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(handle, work))

    done = {number for number in range(24) if number % 4}
    days = {number % 8 for number in done}
    assert total(actor).score == len(done) * 10 + len(days) * 5 + 10
    assert total(actor).counts == {"task": len(done), "connection": 1}
    assert total(actor).streak_longest == 3
    assert total(other).score == 10


# What it costs --------------------------------------------------------------------------------------------------------------------------


def test_what_a_completion_costs(memory_world, actor):
    users.upsert_profile(actor, {"nickname": "Ana", "timezone": "America/Sao_Paulo"})
    for day in range(200):
        handle(completed(actor, f"t{day}", NOON + day * DAY))
    costs = []
    for number in range(3):
        with metered() as meter:
            handle(completed(actor, f"more{number}", NOON + 200 * DAY))
        costs.append((meter.round_trips, meter.read_units, meter.write_units))

    assert costs == [(5, 7, 12), (4, 6, 10), (4, 6, 10)]


def test_items_stay_small_after_years(memory_world, actor):
    handle(*(completed(actor, f"t{day}", NOON + day * DAY, priority=True) for day in range(0, 1500, 2)))
    for key in (keys.streak_ledger(actor.user_id), keys.game_aggregate(actor.user_id, "all")):
        found = table(actor).get(key)
        assert sum(len(name) + len(str(value)) for name, value in found.attributes_raw().items()) < 2500
