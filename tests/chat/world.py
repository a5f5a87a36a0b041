"""People who can find each other."""

from goalgraph.auth.actor import Actor
from tests.fixtures import new_user
from users import services as users


def members(count: int) -> list[Actor]:
    """So many members with a profile that all can see."""
    actors = [new_user() for _ in range(count)]
    for actor in actors:
        users.upsert_profile(actor, {"nickname": actor.user_id})
    return actors
