"""Telling members: each notice once, as they wish, and what goes on with it in the same transaction."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from django.conf import settings
from django.test import override_settings
from pynamodb.expressions.operand import Path

from goalgraph import wiring
from goalgraph.errors import Invalid, NotFound
from goalgraph.ids import id_of, new_id
from goalgraph.table import keys, table
from goalgraph.table.memory import MemoryTable
from goalgraph.table.metering import metered
from goalgraph.table.port import ItemTooLarge, TableUnavailable
from goalgraph.table.table import Check, Delete, Put
from notifications import services
from notifications.items import SENT, Delivery, DigestEntry, HeldDelivery, Notification
from tests.fixtures import FakeClock, new_user
from tests.notifications.world import member, notice, platform, put, stored, wishes

PRESENT = Path("PK").exists()


def ports_with(table_backend: str) -> dict[str, dict[str, object]]:
    """Of the world, with another table."""
    return settings.PORTS | {"table": {"BACKEND": table_backend}}


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def tell(actor, *notices) -> None:
    services.notify(platform(actor), notices)


def notes(actor) -> list[Notification]:
    return services.notifications_page(actor, limit=100).items


def channels(actor, state: str) -> set[str]:
    return {delivery.channel for delivery in stored(actor, "Delivery") if delivery.state == state}


def reasons(actor, note_id: str) -> dict[str, tuple[str, str]]:
    return {entry.channel: (entry.decision, entry.reason) for entry in services.why(actor, note_id)}


def test_a_notice_is_shown_told_live_and_sent_over_the_channels_wished():
    ana = member(language="pt-BR", timezone="America/Sao_Paulo")

    tell(ana, notice(ana, facts={"title": "Correr", "dueAt": "2027-07-01T12:00:00Z"}, subject="t.g.ana"))

    (note,) = notes(ana)
    assert (note.kind, note.title, note.subject, note.read_at) == ("reminder", "Correr", "t.g.ana", None)
    assert "09:00" in note.body
    assert channels(ana, "pending") == {"email", "push"}
    (announced,) = wiring.live().announced
    assert announced.event.payload["title"] == {"S": "Correr"}
    assert reasons(ana, note.id) == {
        "in_app": ("send", "wanted"),
        "email": ("send", "wanted"),
        "push": ("send", "wanted"),
        "sms": ("drop", "off"),
    }


def test_the_same_notice_is_told_once_however_often_and_with_whatever_wishes_it_comes(world):
    ana = member()
    one = notice(ana, at=world.now())

    tell(ana, one, one)
    wishes(ana, kinds={"reminder": {"in_app": "off"}})
    world.advance(hours=5)
    tell(ana, one)

    assert len(notes(ana)) == len(wiring.live().announced) == 1
    assert len(stored(ana, "Delivery")) == 2
    assert len(stored(ana, "Notification")) == 1
    assert [count.counts for count in stored(ana, "SendCount")] == [{"email": 1, "push": 1}]


def test_what_is_not_wished_in_the_application_is_kept_for_the_question_why():
    ana = member()
    wishes(ana, kinds={"reminder": dict.fromkeys(("in_app", "email", "push"), "off")})

    one = notice(ana)
    tell(ana, one)

    assert notes(ana) == []
    assert wiring.live().announced == []
    assert stored(ana, "Delivery") == []
    assert set(reasons(ana, id_of(one.at, ana.user_id, "reminder", "one")).values()) == {("drop", "off")}


def test_who_has_no_address_is_told_in_the_application():
    ana = member(devices=0, email=None)

    tell(ana, notice(ana))

    assert reasons(ana, notes(ana)[0].id)["email"] == reasons(ana, notes(ana)[0].id)["push"] == ("drop", "no_address")
    assert stored(ana, "Delivery") == stored(ana, "SendCount") == []


def test_somebody_nobody_knows_has_the_defaults():
    ana = new_user()

    tell(ana, notice(ana))

    assert [note.title for note in notes(ana)] == ["Run"]


def test_quiet_hours_hold_what_goes_outwards_on_the_wheel(world):
    ana = member(timezone="Europe/Berlin")  # 14:00 there
    wishes(ana, quiet_from=13 * 60, quiet_until=15 * 60 + 30)

    tell(ana, notice(ana))

    over = world.now() + timedelta(minutes=90)
    held = stored(ana, "HeldDelivery")
    assert {entry.channel for entry in held} == channels(ana, "held") == {"email", "push"}
    assert {entry.at for entry in held} == {over}
    assert {entry.shard for entry in held} <= set(range(settings.DUE_SHARDS))
    assert [entry.until for entry in services.why(ana, notes(ana)[0].id)] == [None, over, over, None]
    assert channels(ana, "pending") == set()


def test_premium_members_go_first():
    ana, bia = member(tier="premium"), member()
    for actor in (ana, bia):
        wishes(actor, quiet_from=0, quiet_until=1439)
        tell(actor, notice(actor), notice(actor, "security", "two"), notice(actor, "badge", "three"))

    for actor, first in ((ana, True), (bia, False)):
        assert {bool(delivery.priority) for delivery in stored(actor, "Delivery")} == {first}
        entries = stored(actor, "HeldDelivery") + stored(actor, "DigestEntry")
        assert len(entries) >= 3
        assert {entry.shard >= settings.DUE_SHARDS for entry in entries} == {first}
        assert all(entry.shard < settings.DUE_SHARDS + settings.DUE_PRIORITY_SHARDS for entry in entries)


def test_caps_are_counted_on_the_members_own_day(world):
    ana = member(timezone="America/Sao_Paulo")
    with override_settings(NOTIFICATION_CAPS={"email": 2, "push": 100}):
        tell(ana, *(notice(ana, dedupe=str(number)) for number in range(4)), notice(ana, "security", "important"))
        assert len([entry for entry in stored(ana, "Delivery") if entry.channel == "email"]) == 3
        assert [count.counts for count in stored(ana, "SendCount")] == [{"email": 2, "push": 4}]

        world.advance(hours=14)  # 02:00 UTC of the next day, 23:00 of the same one in São Paulo
        tell(ana, notice(ana, dedupe="evening"))
        assert reasons(ana, notes(ana)[0].id)["email"] == ("drop", "capped")
        world.advance(hours=2)
        tell(ana, notice(ana, dedupe="morning"))
        assert reasons(ana, notes(ana)[0].id)["email"] == ("send", "wanted")


@pytest.mark.usefixtures("dynamo_world")
def test_on_dynamodb_caps_and_single_telling_are_exact_for_many_at_once():
    ana = member()
    now = wiring.clock().now()
    all_of_them = [notice(ana, dedupe=str(number % 12), at=now) for number in range(24)]

    with override_settings(NOTIFICATION_CAPS={"email": 5}), ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: tell(ana, one), all_of_them))

    found = notes(ana)
    assert len(found) == len({note.id for note in found}) == 12
    sent = [reasons(ana, note.id)["email"] for note in found]
    assert (sent.count(("send", "wanted")), sent.count(("drop", "capped"))) == (5, 7)


def test_what_waits_for_the_digest_has_one_entry_on_the_wheel(world):
    ana = member(timezone="Europe/Berlin")
    first, second = notice(ana, "badge", "1"), notice(ana, "badge", "2")

    tell(ana, first, second)
    world.advance(hours=3)
    tell(ana, first, notice(ana, "level", "3", facts={"level": 2}))

    (entry,) = stored(ana, "DigestEntry")
    assert entry.at.isoformat() == "2027-07-02T06:00:00+00:00"
    assert services.preferences(ana).digest_due_at == entry.at
    assert len(stored(ana, "DigestNote")) == 3
    assert channels(ana, "pending") == {"push"}


def test_a_digest_that_never_came_does_not_end_all_digests(world):
    ana = member()
    wishes(ana, digest_due_at=world.now() - timedelta(days=3))

    tell(ana, notice(ana, "badge"))

    assert [entry.at > world.now() for entry in stored(ana, "DigestEntry")] == [True]


def test_what_is_too_late_is_shown_and_not_sent(world):
    ana = member()

    tell(ana, notice(ana, at=world.now() - timedelta(hours=3), not_after=world.now() - timedelta(hours=1)))

    (note,) = notes(ana)
    assert reasons(ana, note.id)["email"] == ("drop", "expired")
    assert stored(ana, "Delivery") == []
    assert note.happened_at == world.now() - timedelta(hours=3)


def test_all_of_it_expires_together(world):
    ana = member()
    tell(ana, notice(ana), notice(ana, "badge"))
    day = 24 * 60 * 60

    ages = {item.ttl - world.now().timestamp() for kind in ("Notification", "Delivery", "DigestNote") for item in stored(ana, kind)}
    assert ages == {settings.NOTIFICATION_RETENTION_DAYS * day}
    note_id = notes(ana)[0].id
    world.advance(days=settings.NOTIFICATION_RETENTION_DAYS)
    assert notes(ana) == []
    with pytest.raises(NotFound):
        services.why(ana, note_id)


# What goes on with a notice ------------------------------------------------------------------------------------------------------------


def entry_of(actor, world) -> DigestEntry:
    """Any entry of the wheel."""
    return put(actor, DigestEntry(user_id=actor.user_id, owner_id=actor.user_id, at=world.now(), shard=0))


def moving(entry) -> tuple[object, ...]:
    return (
        Check(entry.key(), PRESENT),
        Put(HeldDelivery(user_id=entry.user_id, note_id="n", channel="email", at=entry.at, shard=0, owner_id=entry.user_id)),
    )


def leaving(entry) -> tuple[object, ...]:
    return (Delete(entry.key(), DigestEntry.write_id == entry.write_id, item=entry),)


def test_moving_is_written_with_the_notification(world):
    ana = member()
    entry = entry_of(ana, world)

    assert services.tell(platform(ana), notice(ana, moving=leaving(entry))) == "told"

    assert stored(ana, "DigestEntry") == []
    assert len(notes(ana)) == 1


def test_where_moving_does_not_hold_nothing_is_written(world):
    ana = member()
    entry = entry_of(ana, world)
    table(ana).delete(entry.key())

    assert services.tell(platform(ana), notice(ana, moving=moving(entry))) == "overtaken"
    tell(ana, notice(ana, moving=moving(entry)), notice(ana, dedupe="two"))

    assert [reasons(ana, note.id)["email"] for note in notes(ana)] == [("send", "wanted")]
    assert [count.counts for count in stored(ana, "SendCount")] == [{"email": 1, "push": 1}]


def test_where_it_is_known_moving_is_still_written_once(world):
    ana = member()
    one = notice(ana, at=world.now())
    tell(ana, one)
    entry = entry_of(ana, world)

    assert services.tell(platform(ana), replace(one, moving=leaving(entry))) == "known"
    assert stored(ana, "DigestEntry") == []
    assert services.tell(platform(ana), replace(one, moving=moving(entry))) == "overtaken"
    assert len(notes(ana)) == 1


def test_one_that_fails_keeps_no_other_back():
    ana, bia = member(), member()
    too_large = notice(ana, dedupe="large", facts={f"fact{number}": "x" * 400 for number in range(40)})
    unknown = notice(ana, "nonsense", "unknown")

    with pytest.raises(ItemTooLarge):
        tell(ana, notice(ana, dedupe="first"), too_large, unknown, notice(bia), notice(ana, dedupe="last"))

    assert len(notes(ana)) == 2
    assert len(notes(bia)) == 1
    with pytest.raises(KeyError):
        tell(ana, unknown)


class FailingTable(MemoryTable):
    """A table in memory that gives up on transactions, before they take effect or after, as `faults` says."""

    faults: ClassVar[list[str]] = []

    def transact(self, operations, token):
        fault = self.faults.pop(0) if self.faults else None
        if fault != "before":
            super().transact(operations, token)
        if fault:
            raise TableUnavailable("gone")


@pytest.mark.parametrize("faults", [["before"], ["after"], ["before", "after"], ["before", "before", "after", "before"]])
def test_a_store_that_gives_up_at_any_write_leaves_all_or_nothing(faults):
    with override_settings(PORTS=ports_with(f"{__name__}.FailingTable")):
        ana, clock = member(), wiring.clock()
        entry = entry_of(ana, clock)
        one = notice(ana, at=clock.now(), moving=leaving(entry))
        FailingTable.faults = list(faults)
        for _ in faults:
            with pytest.raises(TableUnavailable):
                tell(ana, one)
            found = [len(stored(ana, kind)) for kind in ("Notification", "Delivery", "SendCount", "DigestEntry")]
            assert found in ([0, 0, 0, 1], [1, 2, 1, 0])

        tell(ana, one)

        assert [len(stored(ana, kind)) for kind in ("Notification", "Delivery", "SendCount", "DigestEntry")] == [1, 2, 1, 0]
        assert stored(ana, "SendCount")[0].counts == {"email": 1, "push": 1}


def test_with_every_answer_lost_once_each_is_told_and_counted_once():
    with override_settings(PORTS=ports_with("tests.goals.test_faults.ForgetfulTable")):
        ana = member()
        for number in range(3):
            tell(ana, notice(ana, dedupe=str(number)), notice(ana, "badge", str(number)))
        found = notes(ana)
        counts = table(ana).get(keys.send_count(ana.user_id), consistent=True)

    assert len(found) == 6
    assert counts.counts == {"email": 3, "push": 6}


def test_one_look_at_all_recipients_and_one_transaction_for_each():
    people = [member() for _ in range(25)]

    with metered() as meter:
        services.notify(platform(people[0]), [notice(actor) for actor in people])

    assert meter.round_trips == 1 + 25
    services.notify(platform(people[0]), [])


def test_tenants_are_apart():
    ana = member(tenant_id="acme")
    twin = replace(ana, tenant_id=None)

    tell(ana, notice(ana))

    assert (len(notes(ana)), notes(twin)) == (1, [])
    topics = {services.follow(actor).topic for actor in (ana, twin)}
    assert len(topics) == 2
    assert wiring.live().announced[0].topic == services.follow(ana).topic


# What members do with it ---------------------------------------------------------------------------------------------------------------


def test_they_are_listed_newest_first_in_pages(world):
    ana = member()
    for number in range(5):
        tell(ana, notice(ana, dedupe=str(number), facts={"title": f"{number}"}))
        world.advance(minutes=1)

    first = services.notifications_page(ana, limit=3)
    rest = services.notifications_page(ana, limit=3, after=first.cursors[-1])
    assert [note.title for note in first.items + rest.items] == ["4", "3", "2", "1", "0"]
    assert (first.has_more, rest.has_more) == (True, False)


def test_nobody_else_learns_anything_of_them():
    ana, eve = member(), member()
    tell(ana, notice(ana))
    (note,) = notes(ana)

    refusals = set()
    for note_id in (note.id, new_id(), "nonsense", "#", ""):
        for use_case in (
            lambda note_id=note_id: services.why(eve, note_id),
            lambda note_id=note_id: services.mark_read(eve, ids=[note_id]),
        ):
            with pytest.raises(NotFound) as refused:
                use_case()
            refusals.add((refused.value.message, refused.value.field))
    assert len(refusals) == 1
    assert notes(eve) == []
    services.mark_read(eve, everything=True)
    services.mark_read(eve, until=note.id)
    assert notes(ana)[0].read_at is None


def test_they_are_read_by_id_up_to_one_or_all_and_stay_read(world):
    ana = member()
    for number in range(6):
        tell(ana, notice(ana, dedupe=str(number)))
        world.advance(minutes=1)
    ids = [note.id for note in notes(ana)]

    services.mark_read(ana, ids=[ids[0], ids[0]])
    first_at = notes(ana)[0].read_at
    world.advance(minutes=1)
    services.mark_read(ana, until=ids[3])
    services.mark_read(ana, ids=[ids[0]])

    assert [note.read_at is not None for note in notes(ana)] == [True, False, False, True, True, True]
    assert notes(ana)[0].read_at == first_at
    services.mark_read(ana, everything=True)
    services.mark_read(ana, everything=True)
    assert all(note.read_at for note in notes(ana))


def test_many_are_read_at_once(world):
    ana = member(devices=0, email=None)
    for number in range(230):
        tell(ana, notice(ana, dedupe=str(number)))
        world.advance(seconds=1)

    services.mark_read(ana, everything=True)

    assert all(note.read_at for note in stored(ana, "Notification"))


@pytest.mark.parametrize(
    "which", [{}, {"ids": [], "everything": True}, {"ids": [], "until": "x"}, {"until": "x", "everything": True}, {"ids": ["x"] * 101}]
)
def test_it_has_to_be_said_which_are_read(which):
    with pytest.raises(Invalid):
        services.mark_read(member(), **which)


def test_why_tells_what_became_of_a_delivery_in_the_members_words(world):
    ana = member(language="es-MX")
    tell(ana, notice(ana))
    (note,) = notes(ana)
    for delivery in stored(ana, "Delivery"):
        if delivery.channel == "email":
            delivery.state, delivery.sent_at = SENT, world.now()
        else:
            delivery.state, delivery.reason = "dropped", "done"
        put(ana, delivery)

    told = {entry.channel: entry for entry in services.why(ana, note.id)}

    assert (told["email"].state, told["email"].sent_at) == ("sent", world.now())
    assert (told["push"].decision, told["push"].reason, told["push"].state) == ("drop", "done", "dropped")
    assert told["email"].sentence.startswith("Correo: enviado")
    assert told["push"].sentence == "Notificación push: no enviado, porque ya estaba hecho."
    assert told["in_app"].state is None


# What members wish ---------------------------------------------------------------------------------------------------------------------


def test_wishes_are_kept_and_taken_back():
    ana = member()
    changes = {"kinds": [{"kind": "badge", "push": "off"}], "quiet_hours": {"begin": "22:00", "end": "07:00"}, "digest_at": "09:30"}

    services.update_preferences(ana, changes)
    services.update_preferences(ana, {"kinds": [{"kind": "level", "email": "off"}]})
    kept = services.preferences(ana)
    assert kept.kinds == {"badge": {"push": "off"}, "level": {"email": "off"}}
    assert (kept.quiet_from, kept.quiet_until, kept.digest_at) == (22 * 60, 7 * 60, 9 * 60 + 30)
    assert (kept.email, kept.devices) == ("m@example.org", 1)

    services.update_preferences(ana, {"kinds": None, "quiet_hours": None, "digest_at": None})
    kept = services.preferences(ana)
    assert (kept.kinds, kept.quiet_from, kept.quiet_until, kept.digest_at) == ({}, None, None, 8 * 60)


def test_who_unsubscribed_gets_no_more_of_that_over_that_channel():
    ana = member()

    for _ in range(2):
        services.unsubscribe(platform(ana), ana.user_id, "reminder", "email")
    tell(ana, notice(ana), notice(ana, "security", "two"))
    assert reasons(ana, notes(ana)[0].id).keys() == reasons(ana, notes(ana)[1].id).keys()
    by_kind = {note.kind: reasons(ana, note.id)["email"] for note in notes(ana)}
    assert by_kind == {"reminder": ("drop", "off"), "security": ("send", "critical")}

    services.unsubscribe(platform(ana), ana.user_id, "all", "email")
    tell(ana, notice(ana, "badge", "three"), notice(ana, "moderation", "four"))
    by_kind = {note.kind: reasons(ana, note.id)["email"] for note in notes(ana)}
    assert (by_kind["badge"], by_kind["moderation"]) == (("drop", "off"), ("send", "critical"))
    with pytest.raises(KeyError):
        services.unsubscribe(platform(ana), ana.user_id, "nonsense", "email")


@pytest.mark.parametrize("character", ["x", "é", "漢", "🎯"])
@pytest.mark.parametrize("kind", ["reminder", "digest", "task_assigned", "moderation"])
def test_the_longest_facts_fit_whatever_they_are_made_of(kind, character):
    ana = member(language="pt-BR")
    entries = [{"title": character * 30 if character == "🎯" else "x" * 120, "dueAt": "2027-07-01T12:00:00Z"} for _ in range(8)]
    facts = {
        "title": character * 2000,
        "name": character * 50,
        "text": character * 2000,
        "agenda": entries,
        "notes": entries,
        "due": 8,
        "more": 9,
    }

    tell(ana, notice(ana, kind, facts=facts, subject="x" * 250))

    assert len(notes(ana)) == 1


def test_deliveries_are_spread_over_the_shards_of_the_outbox():
    people = [member() for _ in range(60)]
    services.notify(platform(people[0]), [notice(actor) for actor in people])

    shards = {delivery.shard for actor in people for delivery in stored(actor, "Delivery")}
    assert len(shards) > settings.NOTIFICATION_SHARDS // 2
    assert all(isinstance(delivery, Delivery) for delivery in stored(people[0], "Delivery"))
