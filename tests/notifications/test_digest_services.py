"""The daily digest: once, in the member's morning, with all that waited."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings

from goalgraph import wiring
from goalgraph.errors import Conflict
from goalgraph.table.memory import MemoryTable
from goals import services as goals
from goals import task_services as tasks
from notifications import digest_services, services
from tests.fixtures import FakeClock
from tests.notifications.test_services import ports_with
from tests.notifications.world import member, notice, platform, put, stored, wishes
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def tell(actor, *notices) -> None:
    services.notify(platform(actor), notices)


def badges(actor, *names: str) -> None:
    tell(actor, *(notice(actor, "badge", name, facts={"badge": name}) for name in names))


def turn(actor) -> None:
    entries = stored(actor, "DigestEntry")
    digest_services.turn(platform(actor), entries, wiring.clock().now())


def morning(actor, clock) -> None:
    """Go on to the member's next digest, and make it."""
    (entry,) = stored(actor, "DigestEntry")
    clock.instant = entry.at
    turn(actor)


def digests(actor) -> list:
    return [note for note in services.notifications_page(actor, limit=100).items if note.kind == "digest"]


def test_it_tells_what_waited_and_what_the_day_brings(world):
    ana = member(timezone="America/Sao_Paulo", language="pt-BR")
    goal = goals.create_goal(ana, {"title": "Run"})
    for title, due in (("Hoje", 23), ("Amanhã", 41)):  # in São Paulo 20:00 of the day of the digest, and 14:00 of the next
        tasks.add_task(ana, goal.id, {"title": title, "due_at": world.now() + timedelta(hours=12 + due)})
    tasks.add_task(ana, goal.id, {"title": "Sem data"})
    badges(ana, "first-goal", "first-task")

    morning(ana, world)

    assert world.now() == datetime(2027, 7, 2, 11, 0, tzinfo=UTC)  # 08:00 in São Paulo
    (digest,) = digests(ana)
    assert digest.title == "Seu dia: 1 tarefa para hoje"
    assert "- Hoje, 20:00" in digest.body
    assert "Amanhã" not in digest.body
    assert digest.body.count("- Você ganhou uma medalha") == 2
    assert {delivery.channel for delivery in stored(ana, "Delivery") if delivery.kind == "digest"} == {"email"}
    assert stored(ana, "DigestNote") == stored(ana, "DigestEntry") == []
    assert services.preferences(ana).digest_due_at is None


def test_it_comes_once_though_the_wheel_turns_twice_and_again_when_something_waits(world):
    ana = member()
    badges(ana, "one")
    entries = stored(ana, "DigestEntry")
    morning(ana, world)

    digest_services.turn(platform(ana), entries, world.now())
    put(ana, entries[0].__class__(user_id=ana.user_id, owner_id=ana.user_id, at=entries[0].at, shard=entries[0].shard))
    turn(ana)
    assert len(digests(ana)) == 1
    assert stored(ana, "DigestEntry") == []

    badges(ana, "two")
    morning(ana, world)
    assert [digest.body.count("- ") for digest in digests(ana)] == [1, 1]
    assert (digests(ana)[0].happened_at - digests(ana)[1].happened_at) == timedelta(days=1)


def test_when_there_is_nothing_to_tell_nobody_is_told(world):
    ana, bia = member(), member()
    tell(ana, notice(ana, "connection_request", facts={"memberId": bia.user_id, "name": "Bia"}))
    users.block(bia, ana.user_id)

    morning(ana, world)

    assert digests(ana) == []
    assert stored(ana, "DigestNote") == stored(ana, "DigestEntry") == []
    assert services.preferences(ana).digest_due_at is None


def test_of_somebody_blocked_it_says_nothing(world):
    ana, bia = member(), member()
    tell(ana, notice(ana, "connection_request", facts={"memberId": bia.user_id, "name": "Bia"}))
    badges(ana, "one")
    users.block(ana, bia.user_id)

    morning(ana, world)

    assert "Bia" not in digests(ana)[0].body
    assert "badge" in digests(ana)[0].body


@pytest.mark.parametrize(("zone", "hour"), [("Asia/Tokyo", 23), ("America/Los_Angeles", 15), ("Pacific/Kiritimati", 18)])
def test_it_follows_the_member_to_their_new_time_zone(world, zone, hour):
    ana = member(timezone="Europe/London")
    badges(ana, "one")
    users.upsert_profile(ana, {"timezone": zone})

    morning(ana, world)
    assert digests(ana) == []
    morning(ana, world)

    assert world.now().hour == hour
    assert len(digests(ana)) == 1


def test_it_comes_late_rather_than_never(world):
    ana = member()
    badges(ana, "one")
    (entry,) = stored(ana, "DigestEntry")
    world.instant = entry.at + timedelta(minutes=90)

    turn(ana)

    assert len(digests(ana)) == 1


def test_who_moves_their_digest_gets_it_then(world):
    ana = member()
    badges(ana, "one")
    services.update_preferences(ana, {"digest_at": "20:00"})

    morning(ana, world)
    assert digests(ana) == []
    morning(ana, world)
    assert (len(digests(ana)), world.now().hour) == (1, 20)


def test_what_is_too_much_for_one_waits_for_the_next(world):
    ana = member(devices=0)
    badges(ana, *map(str, range(digest_services.MOST_NOTES + 7)))

    morning(ana, world)
    assert "52" in digests(ana)[0].body  # 8 are named
    assert len(stored(ana, "DigestNote")) == 7
    morning(ana, world)
    assert stored(ana, "DigestNote") == stored(ana, "DigestEntry") == []
    assert len(digests(ana)) == 2


def test_who_wants_no_digest_gets_none_and_nothing_piles_up(world):
    ana = member()
    badges(ana, "one")
    services.update_preferences(ana, {"kinds": [{"kind": "digest", "in_app": "off", "email": "off"}]})

    morning(ana, world)

    assert digests(ana) == []
    assert [delivery for delivery in stored(ana, "Delivery") if delivery.kind == "digest"] == []
    assert stored(ana, "DigestNote") == []


class CrossedTable(MemoryTable):
    """A table in memory on which something else happens just before the next transactions take effect, `crossings` by one."""

    crossings: list = []

    def transact(self, operations, token):
        if any("DIGEST" in str(getattr(operation, "key", "")) for operation in operations) and self.crossings:
            self.crossings.pop(0)()
        super().transact(operations, token)


def test_what_comes_while_it_is_made_is_in_it_or_in_the_next():
    with override_settings(PORTS=ports_with(f"{__name__}.CrossedTable")):
        ana, clock = member(), wiring.clock()
        badges(ana, "one")
        CrossedTable.crossings = [lambda: badges(ana, "two"), lambda: badges(ana, "three")]

        morning(ana, clock)

        assert CrossedTable.crossings == []
        (digest,) = digests(ana)
        waiting = len(stored(ana, "DigestNote"))
        assert digest.body.count("- ") + waiting == 3
        assert len(stored(ana, "DigestEntry")) == (1 if waiting else 0)


def test_where_others_keep_writing_the_entry_stays(world):
    with override_settings(PORTS=ports_with(f"{__name__}.CrossedTable")):
        ana, clock = member(), wiring.clock()
        badges(ana, "one")
        CrossedTable.crossings = [lambda: wishes(ana, devices=2)] * 1000

        with pytest.raises(Conflict):
            morning(ana, clock)

        CrossedTable.crossings = []
        assert len(stored(ana, "DigestEntry")) == len(stored(ana, "DigestNote")) == 1
        turn(ana)
        assert len(digests(ana)) == 1
