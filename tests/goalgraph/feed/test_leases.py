"""Whose turn it is, and who takes what: the rules by themselves, over any lineage and any number of processes."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.feed import leases
from goalgraph.feed.items import FeedShard
from goalgraph.ports.streams import Shard
from tests.fixtures import FakeClock

NOW = FakeClock().instant

LINEAGES = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["read", "half", "unknown"])), max_size=40)
"""For each shard: which of the earlier ones is its parent (or none, or one that is gone), and how far it is read."""


def lease(shard_id: str, holder: str | None = None, *, finished: bool = False, seconds: float = 10) -> FeedShard:
    return FeedShard(consumer="c", shard_id=shard_id, holder=holder, held_until=NOW + timedelta(seconds=seconds), finished=finished)


@given(LINEAGES)
def test_none_goes_before_its_parent_and_there_is_always_one_to_go_on_with(lineage):
    shards = [Shard(f"s{n}", f"s{parent}" if parent < n else "gone" if parent % 2 else None) for n, (parent, _) in enumerate(lineage)]
    known = {f"s{n}": lease(f"s{n}", finished=state == "read") for n, (_, state) in enumerate(lineage) if state != "unknown"}
    done = {shard_id for shard_id, item in known.items() if item.finished}
    turn = leases.unread(shards[::-1], known)

    assert not {shard.id for shard in turn} & done
    listed = {shard.id for shard in shards}
    assert all(shard.parent_id in done or shard.parent_id not in listed for shard in turn)
    assert bool(turn) is bool(listed - done)


@given(st.integers(1, 12), st.integers(1, 6), st.randoms(use_true_random=False))
def test_any_number_of_processes_come_to_share_all_shards_fairly(shard_count, process_count, random):
    shards = [Shard(f"s{n}") for n in range(shard_count)]
    processes = [f"p{n}" for n in range(process_count)]
    known: dict[str, FeedShard] = {}
    for _ in range(4 * shard_count):
        for me in random.sample(processes, process_count):
            for shard in leases.fair_share(shards, known, me, NOW):
                known[shard.id] = lease(shard.id, me)
    counts = [sum(item.holder == me for item in known.values()) for me in processes]
    assert sum(counts) == shard_count
    assert max(counts) - min(counts) <= 1
    assert all(leases.fair_share(shards, known, me, NOW) == [] for me in processes)


def test_a_lease_that_is_over_holds_nothing():
    assert leases.holder_of(lease("s", "one"), NOW) == "one"
    assert leases.holder_of(lease("s", "one", seconds=0), NOW) is None
    assert leases.holder_of(lease("s"), NOW) is None
    assert leases.holder_of(None, NOW) is None


def test_whoever_lost_a_shard_cannot_store_anything(world):
    mine = leases.take("c", "s", None, "me")
    world.advance(seconds=31)
    theirs = leases.take("c", "s", leases.stored("c")["s"], "them")
    for again in (mine, mine):
        again.sequence = "9"
        with pytest.raises(leases.LeaseLost):
            leases.save(again)
    theirs.sequence = "5"
    leases.save(theirs)
    assert (leases.stored("c")["s"].holder, leases.stored("c")["s"].sequence) == ("them", "5")
