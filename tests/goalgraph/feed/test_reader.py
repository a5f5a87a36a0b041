"""The poller: whatever dies, splits, ends or is late, each change reaches its consumer, and those of a key in their order."""

import logging
import threading

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.feed import leases
from goalgraph.feed.reader import Reader
from goalgraph.feed.taking import sequence_of
from goalgraph.ports.streams import CursorExpired, StreamUnavailable
from goalgraph.table.port import TableUnavailable
from tests.goalgraph.feed.conftest import FATEFUL
from tests.goalgraph.feed.world import Collector, Killed, Source, fate

LEASE = 30


def settle(reader: Reader, rounds: int = 40) -> None:
    """Rounds until nothing comes any more, and it knows that no shard is left."""
    silent = 0
    for _ in range(rounds):
        count = reader.round()
        ended = reader._look_at is None  # a shard: its children's turn comes in the next round
        silent = 0 if count or reader.failed or ended else silent + 1
        if silent == 4:
            return
    raise AssertionError("the reader does not come to rest")


def everything(source: Source) -> dict[str, list[int]]:
    return dict(source.written)


# The way it should be ----------------------------------------------------------------------------------------------------------------


def test_it_takes_what_was_written_before_and_what_is_written_then(source):
    collector = Collector()
    reader = Reader(collector)
    for key in "abab":
        source.write(key)
    settle(reader)
    source.write("a")
    settle(reader)

    assert collector.taken == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]


def test_another_one_goes_on_where_the_first_stopped(source):
    collector = Collector()
    for turn in range(3):
        source.write()
        reader = Reader(collector)
        settle(reader)
        reader.release()
        assert collector.taken == [("a", n + 1) for n in range(turn + 1)]


def test_a_child_waits_for_the_end_of_its_parent_and_a_grandchild_for_the_child(source):
    for key in "abcd":
        source.write(key)
    child, other = source.split("shard-0")
    for key in "abcd":
        source.write(key)
    source.split(child)
    for key in "abcd":
        source.write(key)
    collector = Collector()
    wiring.stream().page = 1
    settle(Reader(collector), rounds=100)

    assert collector.first_seen == everything(source)
    assert len(collector.taken) == 12
    known = leases.stored("collector")
    assert [shard_id for shard_id, lease in sorted(known.items()) if lease.finished] == ["shard-0", child]
    assert not known[other].finished


def test_consumers_do_not_wait_for_each_other(source):
    sound, sick = Collector("sound"), Collector("sick")
    sick.failing = True
    readers = [Reader(sick), Reader(sound)]
    for _ in range(3):
        source.write()
        for reader in readers:
            reader.round()
    assert sound.taken == [("a", 1), ("a", 2), ("a", 3)]
    assert readers[0].failed
    assert sick.taken == []

    sick.failing = False
    settle(readers[0])
    assert sick.taken == sound.taken


def test_what_was_taken_of_a_page_is_not_taken_again_when_the_rest_fails(source):
    collector = Collector()
    reader = Reader(collector)
    for _ in range(250):
        source.write()
    fate_of = fate.points
    reader._look()
    fate.strikes_at, fate.blow = fate.points + 2 * 2 + 150 + 1, RuntimeError  # cursor, read, and then change by change
    assert fate_of < fate.strikes_at
    reader.round()
    assert reader.failed
    assert len(collector.taken) == 150

    settle(reader)
    assert len(collector.taken) == 250 + 50
    assert collector.first_seen == everything(source)


def test_its_own_checkpoints_keep_nobody_busy(memory_world):
    """The table tells of the feed's own writes too: two consumers that answer each other's checkpoints would never rest."""
    readers = [Reader(Collector(name)) for name in ("one", "two")]
    source = Source()
    source.write()
    for seconds in (0, 15, 15):  # the leases are renewed from time to time, which is told, and then it is quiet again
        memory_world.advance(seconds=seconds)
        counts = [sum(reader.round() for reader in readers) for _ in range(10)]
        assert sum(counts) > 0
        assert counts[-5:] == [0] * 5


def test_it_knows_whether_it_is_at_the_end(source, world):
    reader = Reader(Collector())
    begun = world.now()
    assert not reader.is_past(begun)
    source.write()
    reader.round()
    reader.round()
    assert reader.is_past(begun)
    assert leases.lag("collector").total_seconds() == 0
    world.advance(seconds=100)
    assert not reader.is_past(world.now())
    assert leases.lag("collector").total_seconds() == 100
    reader.round()
    assert reader.is_past(world.now())


def test_run_until_the_end_takes_all_and_gives_the_shards_back(source, world):
    for key in "abcd":
        source.write(key)
    source.split("shard-0")
    source.write("a")
    collector = Collector()
    Reader(collector).run(threading.Event(), until_end=True)

    assert collector.first_seen == everything(source)
    assert {leases.holder_of(lease, world.now()) for lease in leases.stored("collector").values()} == {None}


# What the stream may do --------------------------------------------------------------------------------------------------------------


def test_where_the_stream_has_not_kept_what_follows_it_says_so_and_goes_on_with_what_is_there(source, caplog):
    collector = Collector()
    reader = Reader(collector)
    source.write()
    settle(reader)
    reader.release()
    for _ in range(4):
        source.write()
    wiring.stream().trim("shard-0", 3)

    with caplog.at_level(logging.WARNING):
        settle(Reader(collector))
    assert collector.taken == [("a", 1), ("a", 4), ("a", 5)]
    (line,) = [line for line in caplog.records if "may have been missed" in line.message]
    assert line.data["sequence"] == source.sequences[0]
    assert line.data["since"]


def test_a_stream_that_began_anew_under_a_running_reader_is_found_out(source, world, caplog):
    """As the emulator's after a restart: an old cursor points behind what is there, and would show nothing for long."""
    collector = Collector()
    reader = Reader(collector)
    for _ in range(3):
        source.write()
    settle(reader)
    wiring.stream().restart()
    source.write()
    world.advance(seconds=LEASE / 3)
    with caplog.at_level(logging.WARNING):
        settle(reader)
    assert collector.taken[-1] == ("a", 4)
    assert "may have been missed" in caplog.text


def test_a_shard_that_left_the_stream_too_early_is_told_and_holds_up_nobody(source, caplog):
    collector = Collector()
    reader = Reader(collector)
    source.write("a")
    settle(reader)
    source.write("b")
    source.split("shard-0")
    source.write("a")
    wiring.stream().forget("shard-0")

    with caplog.at_level(logging.WARNING):
        settle(reader)
    assert collector.taken == [("a", 1), ("a", 2)]
    assert "may have been missed" in caplog.text
    assert leases.stored("collector")["shard-0"].finished
    assert leases.lag("collector").total_seconds() == 0


def test_a_shard_that_left_while_nobody_read_is_told_as_well(source, world, caplog):
    collector = Collector()
    reader = Reader(collector)
    source.write("a")
    settle(reader)
    source.split("shard-0")
    source.write("a")
    wiring.stream().forget("shard-0")
    world.advance(seconds=LEASE + 1)

    with caplog.at_level(logging.WARNING):
        settle(Reader(collector))
    assert collector.taken == [("a", 1), ("a", 2)]
    assert leases.stored("collector")["shard-0"].finished


def test_an_expired_cursor_is_renewed_at_the_same_place(source):
    collector = Collector()
    reader = Reader(collector)
    source.write()
    settle(reader)
    source.write()
    fate.strikes_at, fate.blow = fate.points + 1, CursorExpired
    settle(reader)
    assert collector.taken == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("damage", [{"type": {"S": "Nonsense"}}, {"seq": {"N": "x"}}, {}])
def test_a_record_that_nobody_understands_goes_to_the_dead_letters_alone(source, damage, caplog):
    collector = Collector()
    source.write()
    source.write()
    middle = wiring.stream()._shards["shard-0"].records[1]["dynamodb"]
    middle["NewImage"] = middle["NewImage"] | damage if damage else {}
    if not damage:
        del middle["OldImage"]
        middle["Keys"].pop("SK")
    source.write()
    with caplog.at_level(logging.ERROR):
        settle(Reader(collector))

    assert collector.taken == [("a", 1), ("a", 3)]
    ((name, queue, arguments),) = wiring.jobs().sent
    assert (name, queue) == ("goalgraph.feed.tasks.unreadable", "default")
    assert (arguments["consumer"], arguments["shard_id"], arguments["sequence"]) == ("collector", "shard-0", source.sequences[1])
    assert arguments["keys"]["PK"] == middle["Keys"]["PK"]["S"]
    assert "NewImage" not in str(arguments)


# Several readers ---------------------------------------------------------------------------------------------------------------------


def test_a_dead_one_s_shards_are_taken_over_when_its_lease_ends(source, world):
    collector = Collector()
    settle(Reader(collector))
    source.write()
    other = Reader(collector)
    assert other.round() == 0
    world.advance(seconds=LEASE - 1)
    assert other.round() == 0
    world.advance(seconds=LEASE / 3)
    assert other.round() == 1
    assert collector.taken == [("a", 1)]


def test_one_that_is_alive_keeps_its_shards(source, world):
    collector, other = Collector(), Collector()
    reader, second = Reader(collector), Reader(other)
    for _ in range(20):
        source.write()
        reader.round()
        second.round()
        world.advance(seconds=LEASE / 2)
    assert len(collector.taken) == 20
    assert other.taken == []


def test_a_slow_one_that_lost_its_shard_moves_no_checkpoint(source, world):
    collector = Collector()
    slow, quick = Reader(collector), Reader(collector)
    source.write()
    slow.round()

    def overtaken(shard_id, changes):
        """While the slow one is at work, its lease ends, and the quick one takes this and more."""
        collector.__class__.take(collector, shard_id, changes)
        collector.take = lambda *more: Collector.take(collector, *more)
        world.advance(seconds=LEASE + 1)
        source.write()
        settle(quick)

    source.write()
    collector.take = overtaken
    slow.round()

    assert leases.stored("collector")["shard-0"].holder == quick.me
    assert leases.stored("collector")["shard-0"].sequence == source.sequences[-1]
    settle(slow)
    source.write()
    settle(quick)
    assert collector.first_seen == everything(source)
    assert collector.taken.count(("a", 4)) == 1
    assert slow._held == {}


def test_two_that_find_the_same_shard_free_take_it_once(source, world):
    known = leases.stored("collector")
    assert leases.take("collector", "shard-0", known.get("shard-0"), "one") is not None
    assert leases.take("collector", "shard-0", known.get("shard-0"), "two") is None

    stale = leases.stored("collector")["shard-0"]
    world.advance(seconds=LEASE + 1)
    assert leases.take("collector", "shard-0", stale, "two") is not None
    assert leases.take("collector", "shard-0", stale, "three") is None


def test_they_share_the_shards_as_they_come_and_go(source, world):
    for key in "abcd":
        source.write(key)
    source.split("shard-0")
    source.split("shard-1")
    source.split("shard-2")
    collector = Collector()
    first = Reader(collector)
    settle(first)
    assert len(first._held) == 4

    second = Reader(collector)
    for _ in range(12):
        first.round()
        second.round()
        world.advance(seconds=LEASE / 3)
    assert (len(first._held), len(second._held)) == (2, 2)

    second.release()
    world.advance(seconds=LEASE / 3)
    settle(first)
    assert len(first._held) == 4


# Every point of it -------------------------------------------------------------------------------------------------------------------


def story(source: Source) -> list:
    """Writes and splits, to be done one after the other with rounds between them."""
    return [
        *[lambda key=key: source.write(key) for key in "abcdab"],
        lambda: source.split("shard-0"),
        *[lambda key=key: source.write(key) for key in "abcdd"],
        lambda: source.split("shard-1"),
        *[lambda key=key: source.write(key) for key in "abcd"],
    ]


def live_through(source: Source, collector: Collector) -> int:
    """Tell the story with a reader at work. Where it dies, its lease ends and another one comes. Returns how many points there were."""
    clock, reader = wiring.clock(), Reader(collector)
    for step in [*story(source), *[lambda: None] * 12]:
        step()
        try:
            reader.round()
        except Killed:
            reader = Reader(collector)
            clock.advance(seconds=LEASE + 1)
    points, fate.strikes_at = fate.points, None
    settle(reader)
    clock.advance(seconds=LEASE / 2)  # a checkpoint that failed is stored with the lease at the latest
    settle(reader)
    return points


def test_it_may_die_or_fail_at_every_point(world):
    count = _lived(None, Killed)
    assert count > 150
    for blow in (Killed, StreamUnavailable, TableUnavailable, RuntimeError):
        for point in range(1, count + 1):
            _lived(point, blow)


def _lived(point: int | None, blow: type[BaseException]) -> int:
    with override_settings(PORTS=settings.PORTS | FATEFUL):
        fate.__init__()
        fate.strikes_at, fate.blow = point, blow
        source, collector = Source(), Collector()
        count = live_through(source, collector)
        assert collector.first_seen == everything(source), (point, blow)
        stored = {shard_id: lease.sequence for shard_id, lease in leases.stored("collector").items()}
        assert stored == {shard_id: sequence_of(shard.records[-1]) for shard_id, shard in wiring.stream()._shards.items()}
        return count


STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abcdef")),
    st.tuples(st.just("split"), st.integers(0, 5)),
    st.tuples(st.just("round"), st.integers(0, 2)),
    st.tuples(st.just("kill"), st.tuples(st.integers(0, 2), st.integers(1, 12))),
    st.tuples(st.just("release"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([1, 11, 31])),
)


@given(st.lists(STEPS, max_size=60), st.sampled_from([1, 3, 1000]))
def test_whatever_splits_dies_and_is_taken_over_in_whatever_order(steps, page):
    """Three readers of one consumer: each change is taken at least once, and those of a key for the first time in their order."""
    clock = {"BACKEND": "tests.fixtures.FakeClock"}
    jobs = {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"}
    with override_settings(PORTS=settings.PORTS | FATEFUL | {"clock": clock, "jobs": jobs}, FEED_LEASE_SECONDS=30.0):
        fate.__init__()
        wiring.stream().page = page
        source, collector = Source(tuple("abcdef")), Collector()
        readers = [Reader(collector) for _ in range(3)]
        for step, what in steps:
            match step, what:
                case "write", key:
                    source.write(key)
                case "split", number:
                    open_shards = sorted(set(source.shard_of.values()))
                    source.split(open_shards[number % len(open_shards)])
                case "round", number:
                    readers[number].round()
                case "kill", (number, point):
                    fate.strikes_at = fate.points + point
                    try:
                        readers[number].round()
                    except Killed:
                        readers[number] = Reader(collector)
                    fate.strikes_at = None
                case "release", number:
                    readers[number].release()
                case "wait", amount:
                    wiring.clock().advance(seconds=amount)
        wiring.clock().advance(seconds=LEASE + 1)
        settle(Reader(collector), rounds=300)
        assert collector.first_seen == everything(source)
