"""How members are read and written."""

from collections.abc import Sequence
from typing import cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.port import Key
from goalgraph.table.table import Check, Delete, Operation, Page, Put, Update
from users.items import Block, Connection, Profile, RequestQuota, Sanction


def profile(actor: Actor, user_id: str, *, consistent: bool = False) -> Profile | None:
    return cast("Profile | None", table(actor).get(keys.profile(user_id), consistent=consistent))


def profile_and_blocks(actor: Actor, user_id: str) -> tuple[Profile | None, bool]:
    """A member's profile, and whether one of the two has blocked the other; one round trip."""
    found = table(actor).get_many([keys.profile(user_id), *_blocks(actor, user_id)], consistent=True)
    return cast("Profile | None", found[0]), any(found[1:])


def blocked_among(actor: Actor, user_ids: Sequence[str]) -> set[str]:
    """Those of `user_ids` of whom one of the two has blocked the other."""
    found = table(actor).get_many([key for user_id in user_ids for key in _blocks(actor, user_id)], consistent=True)
    return {user_id for user_id, one, other in zip(user_ids, found[::2], found[1::2], strict=True) if one or other}


def profiles_and_blocks(actor: Actor, user_ids: Sequence[str]) -> list[tuple[Profile | None, bool]]:
    """The same for several members at once, in their order."""
    places = [key for user_id in user_ids for key in (keys.profile(user_id), *_blocks(actor, user_id))]
    found = table(actor).get_many(places, consistent=True)
    triples = zip(found[::3], found[1::3], found[2::3], strict=True)
    return [(cast("Profile | None", profile), bool(one or other)) for profile, one, other in triples]


def tags_of(actor: Actor, user_ids: Sequence[str]) -> dict[str, list[str]]:
    found = table(actor).get_many([keys.profile(user_id) for user_id in user_ids], consistent=True)
    profiles = zip(user_ids, cast("list[Profile | None]", found), strict=True)
    return {user_id: list(profile.tags) if profile else [] for user_id, profile in profiles}


def blocked(actor: Actor, user_id: str) -> bool:
    """Whether one of the two has blocked the other."""
    return any(table(actor).get_many(_blocks(actor, user_id), consistent=True))


def save_profile(actor: Actor, profile: Profile) -> Profile:
    return cast("Profile", table(actor).put(profile))


def tier_set(profile: Profile, tier: str) -> Operation:
    return Update(profile.key(), [Profile.tier.set(tier)], item=profile)


def add_block(actor: Actor, other_id: str) -> None:
    """The block, and the end of what connected the two."""
    ends = [Delete(keys.connection(actor.user_id, other_id)), Delete(keys.connection(other_id, actor.user_id))]
    table(actor).transact([Put(Block(owner_id=actor.user_id, other_id=other_id), overwrite=True), *ends])


def remove_block(actor: Actor, other_id: str) -> None:
    table(actor).delete(keys.block(actor.user_id, other_id))


def blocks_of(actor: Actor, *, limit: int, after: str | None, forward: bool) -> Page:
    return table(actor).query(keys.blocks_of(actor.user_id), limit=limit, after=after, forward=forward)


def sanction(actor: Actor, user_id: str) -> Sanction | None:
    return cast("Sanction | None", table(actor).get(keys.sanction(user_id), consistent=True))


def save_sanction(actor: Actor, sanction: Sanction) -> Sanction:
    """Raises ConditionFailed."""
    return cast("Sanction", table(actor).put(sanction))


# Connections -----------------------------------------------------------------------------------------------------------------------


def connection(actor: Actor, other_id: str) -> tuple[Connection | None, Connection | None]:
    """How the two stand with each other: the actor's side, the other's side. One round trip."""
    found = table(actor).get_many([keys.connection(actor.user_id, other_id), keys.connection(other_id, actor.user_id)], consistent=True)
    return cast("Connection | None", found[0]), cast("Connection | None", found[1])


def connections_page(actor: Actor, *, limit: int | None, after: str | None = None, forward: bool = True) -> Page:
    """By the other's user id."""
    return table(actor).query(keys.connections_of(actor.user_id), limit=limit, after=after, forward=forward)


def save_connection(actor: Actor, mine: Connection, theirs: Connection, quota: Operation | None = None) -> None:
    """Both sides. Positions 0 and 1 fail where one was changed meanwhile, 2 and 3 where there is a block; a `quota` comes last."""
    unblocked = [Check(key, Block.other_id.does_not_exist()) for key in _blocks(actor, mine.other_id)]
    table(actor).transact([Put(mine), Put(theirs), *unblocked, *([quota] if quota else [])])


def end_connection(actor: Actor, mine: Connection, theirs: Connection) -> None:
    """Position 0 or 1 fails where one side was changed meanwhile."""
    table(actor).transact([Delete(side.key(), Connection.version == side.version, item=side) for side in (mine, theirs)])


def one_more_request(quota: RequestQuota, most: int) -> Operation:
    return Update(quota.key(), [RequestQuota.count.add(1)], RequestQuota.count < most)


def first_request(quota: RequestQuota) -> Operation:
    return Put(quota)


def _blocks(actor: Actor, user_id: str) -> list[Key]:
    return [keys.block(actor.user_id, user_id), keys.block(user_id, actor.user_id)]
