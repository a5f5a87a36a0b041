"""What members do with profiles, and whom they want nothing to do with."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Invalid, NotFound
from goalgraph.ids import is_id
from goalgraph.table import settled
from goalgraph.table.items import CoreItem
from goalgraph.table.table import Operation, Page
from users import repository
from users.domain import checked_profile
from users.items import Profile


def me(actor: Actor) -> Profile:
    """The actor's own profile; an empty one, not stored, before the first `upsert_profile`."""
    return _own(actor, repository.profile(actor, actor.user_id, consistent=True))


def profile_among(actor: Actor, items: Iterable[CoreItem]) -> Profile:
    """The actor's own profile out of what a query of their partition found."""
    return _own(actor, next((item for item in items if isinstance(item, Profile)), None))


def upsert_profile(actor: Actor, changes: Mapping[str, Any]) -> Profile:
    """Write the fields of `changes` (snake_case names); the others stay, a null clears. Raises Invalid."""
    checked = checked_profile(changes)

    def attempt() -> Profile:
        profile = repository.profile(actor, actor.user_id, consistent=True) or Profile(user_id=actor.user_id, tier=actor.tier)
        for name, value in checked.items():
            setattr(profile, name, value)
        return _own(actor, repository.save_profile(actor, profile))

    return settled(attempt)


def user(actor: Actor, user_id: str) -> Profile:
    """A member as the actor may see them. Raises NotFound: absent, private and blocked look the same."""
    if user_id == actor.user_id:
        return me(actor)
    if not is_id(user_id):
        raise NotFound
    profile, blocked = repository.profile_and_blocks(actor, user_id)
    if profile is None or not _shown(profile, blocked=blocked):
        raise NotFound
    return profile


@dataclass(frozen=True, slots=True)
class Addressee:
    """How a member is written to. `tier` is the one that billing last projected."""

    language: str | None
    timezone: str
    tier: str


def tags_of(actor: Actor, user_ids: Sequence[str]) -> dict[str, list[str]]:
    """What members care about, by their id; whether they may be seen is for the caller to ask before it shows anything."""
    return repository.tags_of(actor, user_ids)


def addressee(found: CoreItem | None) -> Addressee:
    """Out of the item at a profile's key, which others read together with items of their own; None: there is none."""
    profile = found if isinstance(found, Profile) else Profile()
    return Addressee(profile.language, profile.timezone, profile.tier)


def tier_change(actor: Actor, user_id: str, tier: str) -> tuple[Operation, ...]:
    """Puts a tier on a member's profile, in the transaction that projects it; nothing where there is no profile, or it says so already.
    The transaction fails where the profile went meanwhile: read again."""
    profile = repository.profile(actor, user_id, consistent=True)
    return () if profile is None or profile.tier == tier else (repository.tier_set(profile, tier),)


def name_of(actor: Actor, user_id: str) -> str | None:
    """What a member wants to be called; None where they do not say, or the actor may not see them."""
    try:
        return user(actor, user_id).nickname
    except NotFound:
        return None


def users(actor: Actor, user_ids: Sequence[str]) -> list[Profile]:
    """Several members at once, none of them the actor. Raises NotFound unless the actor may see each of them."""
    if not all(map(is_id, user_ids)):
        raise NotFound
    found = repository.profiles_and_blocks(actor, user_ids)
    seen = [profile for profile, blocked in found if profile is not None and _shown(profile, blocked=blocked)]
    if len(seen) < len(user_ids):
        raise NotFound
    return seen


def visible_among(actor: Actor, user_ids: Sequence[str]) -> dict[str, Profile]:
    """Those of `user_ids`, none of them the actor, whom the actor may see, by their id; in one round trip for every 33."""
    found = repository.profiles_and_blocks(actor, user_ids)
    pairs = zip(user_ids, found, strict=True)
    return {user_id: profile for user_id, (profile, blocked) in pairs if profile is not None and _shown(profile, blocked=blocked)}


def blocked(actor: Actor, user_id: str) -> bool:
    """Whether one of the two has blocked the other."""
    return user_id != actor.user_id and repository.blocked(actor, user_id)


def blocked_among(actor: Actor, user_ids: Collection[str]) -> set[str]:
    """Those of `user_ids` of whom one of the two has blocked the other; one round trip."""
    others = [user_id for user_id in user_ids if user_id != actor.user_id]
    return repository.blocked_among(actor, others) if others else set()


def block(actor: Actor, user_id: str) -> None:
    """From now on the two see nothing of each other. Repeating it changes nothing; whether there is such a member is not told."""
    repository.add_block(actor, _other(actor, user_id))
    wiring.live().reconsider([actor.user_id, user_id])


def unblock(actor: Actor, user_id: str) -> None:
    """Take a block back. Repeating it changes nothing."""
    repository.remove_block(actor, _other(actor, user_id))


def blocks(actor: Actor, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """Whom the actor blocked, by user id."""
    return repository.blocks_of(actor, limit=limit, after=after, forward=forward)


def _shown(profile: Profile, *, blocked: bool) -> bool:
    return not blocked and profile.visibility != "private"


def _other(actor: Actor, user_id: str) -> str:
    if not is_id(user_id):
        raise NotFound
    if user_id == actor.user_id:
        raise Invalid("That is you.", field="userId")
    return user_id


def _own(actor: Actor, stored: Profile | None) -> Profile:
    """The actor's profile to show: of their own tier, the actor knows better than the last projection."""
    profile = Profile(user_id=actor.user_id) if stored is None else stored.copy()
    profile.tier = actor.tier
    return profile
