"""What becomes of a delivery, as its log and the channels show it."""

from datetime import timedelta

import pytest
from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.feed.changes import Change
from goalgraph.ports.sending import Gone, Refused, Unavailable
from goalgraph.table import keys, table
from goals import task_services
from notifications import delivery_handlers, device_services, reminder_services, services, tasks, unsubscribing
from notifications.delivery_services import LATE, LEASE, SWEEP_TIME, deliver, release, sweep_unsent
from notifications.events import of_delivery
from notifications.items import DROPPED, FAILED, HELD, PENDING, SENT, HeldDelivery
from tests.fixtures import FakeClock, new_user
from tests.goals.world import due_entries_of
from tests.notifications.delivery_world import delivery, reachable, stored_preferences, task_of, told, wished
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")


@pytest.fixture
def member(memory_world: FakeClock) -> Actor:
    return reachable(new_user())


def outcome(actor: Actor, note_id: str, channel: str) -> tuple[str, str | None]:
    found = delivery(actor, note_id, channel)
    return found.state, found.reason


def held_entries(actor: Actor, note_id: str, channel: str, at) -> list[HeldDelivery]:
    shard = services.recipients(SYSTEM, [actor.user_id])[actor.user_id].wheel_shard
    return [entry for entry in table(actor).query(keys.due_bucket(at, shard)).items if isinstance(entry, HeldDelivery)]


def test_each_channel_gets_it_once_and_the_log_says_so(member: Actor, memory_world: FakeClock, mailoutbox):
    note_id = told(member)
    memory_world.advance(seconds=5)
    for channel in ("email", "push", "sms") * 2:
        deliver(SYSTEM, member.user_id, note_id, channel)

    assert [mail.to for mail in mailoutbox] == [[f"{member.user_id}@example.org"]]
    assert len(wiring.push().sent) == len(wiring.sms().sent) == 1
    for channel in ("email", "push", "sms"):
        found = delivery(member, note_id, channel)
        assert (found.state, found.attempts, found.lease_until) == (SENT, 1, None)
        assert found.sent_at == memory_world.now()
        assert found.provider_id


def test_what_nobody_knows_is_no_trouble():
    deliver(SYSTEM, "nobody", "no-note", "email")


def test_a_task_that_was_done_meanwhile_is_not_reminded_of(member: Actor, mailoutbox):
    task = task_of(member)
    done, open_ = told(member, "reminder", "one", subject=task.id), told(member, "reminder", "two", subject=task_of(member).id)
    task_services.mark_task_done(member, task.id)

    for note_id in (done, open_):
        deliver(SYSTEM, member.user_id, note_id, "email")

    assert outcome(member, done, "email") == (DROPPED, "done")
    assert outcome(member, open_, "email") == (SENT, None)
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("kind", ["reminder", "task_assigned"])
@pytest.mark.parametrize("change", ["nothing", "unassigned", "blocked by the owner", "blocked by the member", "moved"])
def test_who_was_given_a_task_is_told_only_of_what_still_holds_when_it_is_sent(kind: str, change: str, memory_world: FakeClock):
    owner, member = (reachable(new_user(), token=f"fcm-token-of-a-phone-{number:016}") for number in range(2))
    for one in (owner, member):
        users.upsert_profile(one, {"nickname": "N"})
    task = task_of(owner)
    task_services.update_task(owner, task.id, {"assignees": [member.user_id]})
    if kind == "reminder":
        memory_world.instant = task.due_at
        (entry,) = [found for found in due_entries_of(owner) if found.task_ref == task.id]
        reminder_services.turn(SYSTEM, [entry], memory_world.now())
    else:
        told(member, kind, subject=task.id, facts={"memberId": owner.user_id})
    match change:
        case "unassigned":
            task_services.update_task(owner, task.id, {"assignees": []})
        case "blocked by the owner":
            users.block(owner, member.user_id)
        case "blocked by the member":
            users.block(member, owner.user_id)
        case "moved":
            task_services.update_task(owner, task.id, {"due_at": task.due_at + timedelta(days=30)})

    note = services.notifications_page(member, limit=1).items[0]
    deliver(SYSTEM, member.user_id, note.note_id, "push")

    holds = change == "nothing" or (change == "moved" and kind == "task_assigned")
    reason = "blocked" if change.startswith("blocked") else "done"
    assert outcome(member, note.note_id, "push") == ((SENT, None) if holds else (DROPPED, reason))
    assert len(wiring.push().sent) == holds


def test_what_the_member_wishes_by_now_counts(member: Actor, mailoutbox):
    first, second = told(member, "digest", "one"), told(member, "digest", "two")
    services.unsubscribe(SYSTEM, member.user_id, "digest", "email")
    deliver(SYSTEM, member.user_id, first, "email")
    wished(member, kinds={}, email=None)
    deliver(SYSTEM, member.user_id, second, "email")

    assert outcome(member, first, "email") == (DROPPED, "off")
    assert outcome(member, second, "email") == (DROPPED, "no_address")
    assert mailoutbox == []


def test_a_wish_for_the_digest_by_now_is_kept_by_not_sending_it_alone(member: Actor):
    note_id = told(member, "reminder", subject=task_of(member).id)
    wished(member, kinds={"reminder": {"email": "digest"}})
    deliver(SYSTEM, member.user_id, note_id, "email")
    assert outcome(member, note_id, "email") == (DROPPED, "off")


def test_what_comes_too_late_is_dropped_and_said_to_be(member: Actor, memory_world: FakeClock, mailoutbox):
    note_id = told(member, "reminder", subject=task_of(member).id, not_after=memory_world.now() + timedelta(minutes=10))
    memory_world.advance(minutes=11)
    deliver(SYSTEM, member.user_id, note_id, "email")
    assert outcome(member, note_id, "email") == (DROPPED, "expired")
    assert mailoutbox == []


def test_nobody_is_told_of_somebody_who_was_blocked_meanwhile(member: Actor):
    note_id = told(member, "message", facts={"memberId": "bruno", "name": "Bruno"})
    users.block(member, "bruno")
    deliver(SYSTEM, member.user_id, note_id, "push")
    assert outcome(member, note_id, "push") == (DROPPED, "blocked")
    assert wiring.push().sent == {}


def test_quiet_hours_that_began_meanwhile_hold_it_until_they_are_over(member: Actor, memory_world: FakeClock, mailoutbox):
    note_id = told(member, "reminder", subject=task_of(member).id)
    wished(member, quiet_from=12 * 60, quiet_until=14 * 60)
    deliver(SYSTEM, member.user_id, note_id, "email")
    assert outcome(member, note_id, "email") == (HELD, "quiet_hours")

    over = memory_world.now().replace(hour=14, minute=0)
    (entry,) = held_entries(member, note_id, "email", over)
    memory_world.instant = over
    release(SYSTEM, [entry], over)
    release(SYSTEM, [entry], over)
    assert held_entries(member, note_id, "email", over) == []
    assert outcome(member, note_id, "email") == (PENDING, None)
    assert mailoutbox == []

    deliver(SYSTEM, member.user_id, note_id, "email")
    assert outcome(member, note_id, "email") == (SENT, None)
    assert len(mailoutbox) == 1


def test_what_was_read_while_it_was_held_is_not_sent(member: Actor, memory_world: FakeClock, mailoutbox):
    wished(member, quiet_from=12 * 60, quiet_until=14 * 60)
    note_id = told(member, "reminder", subject=task_of(member).id)
    over = memory_world.now().replace(hour=14)
    services.mark_read(member, everything=True)
    memory_world.instant = over
    release(SYSTEM, held_entries(member, note_id, "email", over), over)
    deliver(SYSTEM, member.user_id, note_id, "email")

    assert outcome(member, note_id, "email") == (DROPPED, "done")
    assert mailoutbox == []


def test_what_is_released_after_it_was_decided_on_leaves_the_wheel_and_nothing_else(member: Actor, memory_world: FakeClock):
    note_id = told(member)
    deliver(SYSTEM, member.user_id, note_id, "email")
    entry = HeldDelivery(user_id=member.user_id, note_id=note_id, channel="email", at=memory_world.now(), shard=0)
    stored = table(SYSTEM).put(entry)
    lost = table(SYSTEM).put(HeldDelivery(user_id=member.user_id, note_id="gone", channel="email", at=memory_world.now(), shard=0))

    release(SYSTEM, [stored, lost], memory_world.now())

    assert table(SYSTEM).query(keys.due_bucket(memory_world.now(), 0)).items == []
    assert outcome(member, note_id, "email") == (SENT, None)


class Answers:
    """A provider that raises each of `errors` in turn, and then takes everything."""

    def __init__(self, real, *errors):
        self.real, self.errors = real, list(errors)

    def send(self, *arguments, **named):
        if self.errors:
            raise self.errors.pop(0)
        return self.real.send(*arguments, **named)


def test_a_refusal_for_good_is_the_end_of_it(member: Actor, monkeypatch):
    note_id = told(member)
    provider = Answers(wiring.sms(), Refused("number"))
    monkeypatch.setattr(wiring, "sms", lambda: provider)
    deliver(SYSTEM, member.user_id, note_id, "sms")
    deliver(SYSTEM, member.user_id, note_id, "sms")
    assert outcome(member, note_id, "sms") == (FAILED, "refused")


def test_a_refusal_for_now_is_tried_again_at_once_when_its_message_comes_again(member: Actor, monkeypatch):
    note_id = told(member)
    provider = Answers(wiring.sms(), Unavailable("throttled"), Unavailable("throttled"))
    monkeypatch.setattr(wiring, "sms", lambda: provider)
    for _ in range(2):
        with pytest.raises(Unavailable):
            deliver(SYSTEM, member.user_id, note_id, "sms")
        assert outcome(member, note_id, "sms") == (PENDING, None)
    deliver(SYSTEM, member.user_id, note_id, "sms")
    assert outcome(member, note_id, "sms") == (SENT, None)
    assert delivery(member, note_id, "sms").attempts == 3


def test_a_device_that_is_gone_is_forgotten_and_the_others_get_it(member: Actor):
    other = device_services.register(member, "apns", "apns-token")
    gone = next(device for device in device_services.devices(member) if device.device_id != other.device_id)
    wiring.push().gone.add(gone.endpoint)
    note_id = told(member)

    deliver(SYSTEM, member.user_id, note_id, "push")

    assert [device.device_id for device in device_services.devices(member)] == [other.device_id]
    assert stored_preferences(member).devices == 1
    assert outcome(member, note_id, "push") == (SENT, None)
    assert [address for _, address in wiring.push().sent] == [other.endpoint]


def test_without_a_device_that_is_left_it_is_dropped(member: Actor):
    (device,) = table(member).query(keys.devices_of(member.user_id)).items
    wiring.push().gone.add(device.endpoint)
    first, second = told(member, dedupe="one"), told(member, dedupe="two")
    deliver(SYSTEM, member.user_id, first, "push")
    deliver(SYSTEM, member.user_id, second, "push")
    assert outcome(member, first, "push") == (DROPPED, "no_device")
    assert outcome(member, second, "push") == (DROPPED, "no_address")


def test_a_device_that_cannot_be_reached_now_does_not_get_the_others_a_second_message(member: Actor, monkeypatch):
    device_services.register(member, "apns", "apns-token")
    note_id, calls, real = told(member), [], wiring.push()

    class OneIsAway:
        def send(self, endpoint, message):
            calls.append(endpoint.platform)
            if endpoint.platform == "apns" and calls.count("apns") < 3:
                raise Unavailable("throttled")
            return real.send(endpoint, message)

    monkeypatch.setattr(wiring, "push", OneIsAway)
    for _ in range(2):
        with pytest.raises(Unavailable):
            deliver(SYSTEM, member.user_id, note_id, "push")
    deliver(SYSTEM, member.user_id, note_id, "push")

    assert outcome(member, note_id, "push") == (SENT, None)
    assert (calls.count("fcm"), calls.count("apns")) == (1, 3)


def test_an_event_follows_when_a_delivery_is_to_be_made_and_at_no_other_change(member: Actor, memory_world: FakeClock):
    wished(member, quiet_from=12 * 60, quiet_until=14 * 60)
    note_id = told(member, "reminder", subject=task_of(member).id)
    held = delivery(member, note_id, "email")
    over = memory_world.now().replace(hour=14)
    release(SYSTEM, held_entries(member, note_id, "email", over), over)
    pending = delivery(member, note_id, "email")
    memory_world.instant = over
    deliver(SYSTEM, member.user_id, note_id, "email")
    sent = delivery(member, note_id, "email")

    def events(old, new):
        kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        return list(of_delivery(Change(kind, sent.key(), "acme", old, new, "1", memory_world.now())))

    (event,) = events(held, pending)
    assert (event.type, event.user_id, event.tenant_id) == ("delivery.pending", member.user_id, "acme")
    assert event.data == {"noteId": note_id, "channel": "email"}
    assert [event.id for event in events(held, pending)] == [event.id]
    assert len(events(None, pending)) == 1
    assert events(None, held) == events(pending, pending) == events(pending, sent) == events(sent, None) == []


def test_premium_members_deliveries_go_first(memory_world: FakeClock):
    member = reachable(new_user())
    note_id = told(member)
    found = delivery(member, note_id, "email")
    found.priority = True
    (event,) = of_delivery(Change("INSERT", found.key(), None, None, found, "1", memory_world.now()))
    assert event.priority is True


def test_handler_and_task_make_deliveries_of_the_tenant(memory_world: FakeClock, mailoutbox):
    member = Actor(user_id="ana", tenant_id="acme")
    own = services.preferences(member)
    own.email = "ana@example.org"
    table(member).put(own)
    first, second = (told(member, dedupe=dedupe, tenant_id="acme") for dedupe in ("one", "two"))
    found = delivery(member, first, "email")
    (event,) = of_delivery(Change("INSERT", found.key(), "acme", None, found, "1", memory_world.now()))

    delivery_handlers.HANDLERS[event.type](event)
    tasks.deliver(user_id="ana", note_id=second, channel="email", tenant_id="acme")
    tasks.deliver(user_id="ana", note_id=second, channel="email")

    assert len(mailoutbox) == 2


# What was lost on the way --------------------------------------------------------------------------------------------------------------


def sent_tasks() -> list[tuple[str, str, str]]:
    return [
        (queue, arguments["note_id"], arguments["channel"]) for name, queue, arguments in wiring.jobs().sent if name.endswith("deliver")
    ]


def test_the_sweep_finds_what_nobody_made_and_runs_it(member: Actor, memory_world: FakeClock):
    note_id = told(member)
    deliver(SYSTEM, member.user_id, note_id, "email")
    assert sweep_unsent(SYSTEM) == 0

    memory_world.advance(seconds=LATE.total_seconds() + 1)
    assert sweep_unsent(SYSTEM) == 2
    assert sorted(sent_tasks()) == [("notify", note_id, "push"), ("notify", note_id, "sms")]

    for name, _, arguments in wiring.jobs().sent:
        assert name == "notifications.tasks.deliver"
        tasks.deliver(**arguments)
    assert {outcome(member, note_id, channel)[0] for channel in ("email", "push", "sms")} == {SENT}
    memory_world.advance(hours=2)
    assert sweep_unsent(SYSTEM) == 0


def test_the_sweep_sends_so_many_for_a_shard_and_the_next_one_goes_on(memory_world: FakeClock, monkeypatch):
    monkeypatch.setattr("notifications.delivery_services.MOST_PER_SHARD", 4)
    one, other = _of_two_shards()
    for dedupe in "abc":
        told(one, dedupe=dedupe)
    told(other)
    memory_world.advance(minutes=5)

    assert sweep_unsent(SYSTEM) == 4 + 3
    for _, _, arguments in wiring.jobs().sent:
        tasks.deliver(**arguments)
    assert sweep_unsent(SYSTEM) == 4
    assert {user_id for _, _, arguments in wiring.jobs().sent[7:] for user_id in [arguments["user_id"]]} == {one.user_id}


def test_the_sweep_ends_in_time_and_reaches_each_shard_sooner_or_later(memory_world: FakeClock, monkeypatch):
    """Each task takes as long as a whole sweep may: whatever shard comes first, the others wait."""
    members = _of_two_shards()
    for one in members:
        told(one)
    memory_world.advance(minutes=5)
    sent, begins = [], iter(range(settings.NOTIFICATION_SHARDS))

    class Slow:
        def send(self, name, queue, **arguments):
            sent.append(arguments["user_id"])
            memory_world.advance(seconds=SWEEP_TIME.total_seconds())

    monkeypatch.setattr(wiring, "jobs", Slow)
    monkeypatch.setattr("random.randrange", lambda _: next(begins))
    counts = [sweep_unsent(SYSTEM) for _ in range(settings.NOTIFICATION_SHARDS)]

    assert counts == [1] * 6 + [0] * (settings.NOTIFICATION_SHARDS - 6)
    assert sorted(sent) == sorted(3 * [one.user_id for one in members])


def test_the_sweep_does_not_pile_up_tasks_while_the_workers_are_away(member: Actor, memory_world: FakeClock):
    note_id = told(member)
    counts = []
    for _ in range(6):
        memory_world.advance(minutes=5)
        counts.append(sweep_unsent(SYSTEM))

    assert counts == [3, 0, 3, 0, 0, 3]
    for _, _, arguments in wiring.jobs().sent:
        tasks.deliver(**arguments)
    assert {outcome(member, note_id, channel) for channel in ("email", "push", "sms")} == {(SENT, None)}
    assert {delivery(member, note_id, channel).attempts for channel in ("email", "push", "sms")} == {1}


def _of_two_shards() -> list[Actor]:
    """Two members whose deliveries stand in shards of their own."""
    found: dict[int, Actor] = {}
    while len(found) < 2:
        one = new_user()
        found.setdefault(keys.shard_of(one.user_id, settings.NOTIFICATION_SHARDS), one)
    return [reachable(one, token=f"fcm-token-of-a-phone-{shard:016}") for shard, one in found.items()]


def test_the_sweep_leaves_alone_what_somebody_is_at_and_waits_longer_each_time(member: Actor, memory_world: FakeClock, monkeypatch):
    wished(member, phone=None, devices=0)
    note_id = told(member)
    monkeypatch.setattr("notifications.outbound.send", lambda *_: (_ for _ in ()).throw(Unavailable("down")))
    counts = []
    for _ in range(12 * 12):
        memory_world.advance(minutes=5)
        if count := sweep_unsent(SYSTEM):
            with pytest.raises(Unavailable):
                tasks.deliver(**wiring.jobs().sent[-1][2])
        counts.append(count)

    assert set(counts) == {0, 1}
    assert counts[0] == 1
    assert 12 <= sum(counts) <= 18  # some quick ones, then one an hour
    assert delivery(member, note_id, "email").attempts == sum(counts)


def test_the_sweep_gives_up_after_a_day(member: Actor, memory_world: FakeClock):
    note_id = told(member)
    memory_world.advance(hours=settings.DELIVERY_GIVE_UP_HOURS, seconds=1)
    assert sweep_unsent(SYSTEM) == 0
    assert {outcome(member, note_id, channel) for channel in ("email", "push", "sms")} == {(FAILED, "failed")}
    deliver(SYSTEM, member.user_id, note_id, "email")
    assert outcome(member, note_id, "email") == (FAILED, "failed")


def test_what_was_held_for_a_day_is_not_given_up_when_it_is_released(member: Actor, memory_world: FakeClock):
    wished(member, quiet_from=12 * 60, quiet_until=11 * 60 + 59)
    note_id = told(member, "reminder", subject=task_of(member).id)
    over = memory_world.now().replace(hour=11, minute=59) + timedelta(days=1)
    memory_world.instant = over + timedelta(hours=3)
    release(SYSTEM, held_entries(member, note_id, "email", over), memory_world.now())
    wished(member, quiet_from=None, quiet_until=None)
    memory_world.advance(minutes=10)
    assert sweep_unsent(SYSTEM) >= 1
    assert outcome(member, note_id, "email") == (PENDING, None)


def test_a_lease_lasts_longer_than_a_worker_may_work_and_shorter_than_its_message_is_hidden():
    assert settings.CELERY_TASK_TIME_LIMIT < LEASE.total_seconds() < settings.QUEUE_VISIBILITY_SECONDS


def test_unsubscribing_by_the_link_of_an_email_ends_what_is_still_to_be_sent(member: Actor, mailoutbox):
    first, second = told(member, "digest", "one"), told(member, "digest", "two")
    deliver(SYSTEM, member.user_id, first, "email")
    token = mailoutbox[0].extra_headers["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    subscription = unsubscribing.read(token)
    assert subscription is not None
    unsubscribing.unsubscribe(subscription)
    deliver(SYSTEM, member.user_id, second, "email")
    assert outcome(member, second, "email") == (DROPPED, "off")
    assert len(mailoutbox) == 1


def test_who_has_no_number_any_more_is_not_sent_a_text_message(member: Actor, monkeypatch):
    note_id = told(member)
    provider = Answers(wiring.sms(), Gone("opted out"))
    monkeypatch.setattr(wiring, "sms", lambda: provider)
    deliver(SYSTEM, member.user_id, note_id, "sms")
    assert outcome(member, note_id, "sms") == (FAILED, "refused")
