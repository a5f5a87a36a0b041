"""How entries spread over the shards of the wheel."""

from collections import Counter

import pytest

from goalgraph.ids import new_id
from goalgraph.table.keys import shard_of

ENTRIES = 1_000_000


@pytest.mark.parametrize("shards", [16])
def test_a_million_entries_of_one_minute_spread_evenly(shards):
    """By the ids that tasks really have: made one after another, so that they differ in few characters."""
    sizes = Counter(shard_of(new_id(), shards) for _ in range(ENTRIES))
    assert len(sizes) == shards
    assert max(sizes.values()) <= 1.5 * ENTRIES / shards
