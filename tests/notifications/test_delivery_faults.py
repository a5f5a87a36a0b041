"""Deliveries where it is hard: a process that dies at any call, answers that get lost, two at once. Nothing is missing, and nothing comes
twice from a provider that tells repetitions by their key."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.adapters.push import RecordingPush
from goalgraph.adapters.sms import RecordingSms
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.sending import Unavailable
from goalgraph.table import keys, table
from goalgraph.table.items import from_raw
from goalgraph.table.memory import MemoryTable
from notifications.delivery_services import LEASE, deliver, release
from notifications.items import HELD, PENDING, SENT, HeldDelivery
from tests.faults import LosesAnswers
from tests.fixtures import new_user
from tests.notifications.delivery_world import DedupingBackend, delivery, reachable, told, wished

CHANNELS = ("email", "push", "sms")
BACKEND = f"{DedupingBackend.__module__}.DedupingBackend"


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Fate:
    """Counts the calls that leave the process, and ends it at the `at`-th, before or after the call takes effect."""

    def __init__(self) -> None:
        self.spare()

    def spare(self) -> None:
        self.calls, self.at, self.after = 0, 0, False

    def kill(self, at: int, *, after: bool) -> None:
        self.calls, self.at, self.after = 0, at, after

    def call(self, effect: Callable[[], object]) -> object:
        self.calls += 1
        if self.calls != self.at:
            return effect()
        if self.after:
            effect()
        raise Killed


FATE = Fate()


def _fated(name: str) -> Callable[..., object]:
    def method(self, *arguments, **named):
        return FATE.call(lambda: getattr(super(type(self), self), name)(*arguments, **named))

    return method


class FatedTable(MemoryTable):
    get, get_many, query = _fated("get"), _fated("get_many"), _fated("query")
    put, delete, transact = _fated("put"), _fated("delete"), _fated("transact")


class FatedPush(RecordingPush):
    send = _fated("send")


class FatedSms(RecordingSms):
    send = _fated("send")


class FatedBackend(DedupingBackend):
    def send_messages(self, messages):
        return FATE.call(lambda: super(FatedBackend, self).send_messages(messages))


@pytest.fixture
def fated_world() -> Iterator[None]:
    FATE.spare()
    DedupingBackend.delivered.clear()
    ports = {
        "table": {"BACKEND": f"{__name__}.FatedTable"},
        "clock": {"BACKEND": "tests.fixtures.FakeClock"},
        "push": {"BACKEND": f"{__name__}.FatedPush"},
        "sms": {"BACKEND": f"{__name__}.FatedSms"},
        "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
    }
    with override_settings(PORTS=settings.PORTS | ports, EMAIL_BACKEND=f"{__name__}.FatedBackend"):
        yield
    FATE.spare()


def delivered(channel: str) -> int:
    if channel == "email":
        return len(DedupingBackend.delivered)
    return len(wiring.push().sent if channel == "push" else wiring.sms().sent)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.usefixtures("fated_world")
def test_who_dies_at_any_call_leaves_a_delivery_that_the_next_one_makes(channel: str, after: bool):
    member = reachable(new_user())
    for at in itertools.count(1):
        before = delivered(channel)
        note_id = told(member, dedupe=f"death {at}")
        FATE.kill(at, after=after)
        try:
            deliver(SYSTEM, member.user_id, note_id, channel)
            died = False
        except Killed:
            died = True
        FATE.spare()
        deliver(SYSTEM, member.user_id, note_id, channel)  # its message comes again, while the lease lasts
        wiring.clock().advance(seconds=LEASE.total_seconds() + 1)
        for _ in range(2):
            deliver(SYSTEM, member.user_id, note_id, channel)

        found = delivery(member, note_id, channel)
        assert (found.state, found.lease_until) == (SENT, None), at
        assert delivered(channel) == before + 1, at
        assert int(found.attempts) <= 2
        if not died:
            break
    assert at > 5  # at least: read, claim, note, wishes, send, mark


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.usefixtures("fated_world")
def test_who_dies_while_it_is_released_leaves_it_on_the_wheel_or_to_be_made(after: bool):
    member = wished(reachable(new_user()), quiet_from=12 * 60, quiet_until=14 * 60)
    over = wiring.clock().now().replace(hour=14)
    for at in itertools.count(1):
        note_id = told(member, "digest", f"death {at}")
        (entry,) = [entry for shard in range(settings.DUE_SHARDS) for entry in table(SYSTEM).query(keys.due_bucket(over, shard)).items]
        FATE.kill(at, after=after)
        try:
            release(SYSTEM, [entry], over)
            died = False
        except Killed:
            died = True
        FATE.spare()
        stands = table(SYSTEM).get(entry.key()) is not None
        assert (delivery(member, note_id, "email").state == HELD) == stands
        release(SYSTEM, [entry], over)
        assert delivery(member, note_id, "email").state == PENDING
        assert table(SYSTEM).get(entry.key()) is None
        if not died:
            break
    assert at > 2


class ForgetfulTable(LosesAnswers):
    def __init__(self) -> None:
        super().__init__(MemoryTable())


def test_of_1000_claims_whose_answers_are_lost_each_is_made_and_sent_once(memory_world):
    notes = 1000 // len(CHANNELS) + 1
    ports = settings.PORTS | {"table": {"BACKEND": f"{__name__}.ForgetfulTable"}}
    with override_settings(PORTS=ports):
        member = reachable(new_user())
        for number in range(notes):
            note_id = told(member, dedupe=f"note-{number}")
            for channel in CHANNELS:
                deliver(SYSTEM, member.user_id, note_id, channel)
                found = delivery(member, note_id, channel)
                assert (found.state, int(found.attempts)) == (SENT, 1)
        assert len(wiring.push().sent) == len(wiring.sms().sent) == notes


class CountingSms:
    """Takes every message, whatever its key."""

    def __init__(self) -> None:
        self.calls = 0
        self.lock = threading.Lock()

    def send(self, number: str, text: str, *, key: str) -> str:
        with self.lock:
            self.calls += 1
        return key


@pytest.mark.usefixtures("dynamo_world")
def test_of_many_at_once_one_sends(monkeypatch):
    sms = CountingSms()
    monkeypatch.setattr(wiring, "sms", lambda: sms)
    member = reachable(new_user())
    notes = [told(member, dedupe=str(number)) for number in range(3)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda note_id: deliver(SYSTEM, member.user_id, note_id, "sms"), notes * 16))
    assert sms.calls == len(notes)
    assert {delivery(member, note_id, "sms").state for note_id in notes} == {SENT}


def test_who_is_slower_than_the_lease_does_not_undo_what_the_next_one_did(memory_world, monkeypatch):
    member = reachable(new_user())
    note_id, real = told(member), wiring.sms()

    class Slow:
        def send(self, number, text, *, key):
            memory_world.advance(seconds=LEASE.total_seconds() + 1)
            monkeypatch.setattr(wiring, "sms", lambda: real)
            deliver(SYSTEM, member.user_id, note_id, "sms")
            raise Unavailable("timeout")

    monkeypatch.setattr(wiring, "sms", Slow)
    with pytest.raises(Unavailable):
        deliver(SYSTEM, member.user_id, note_id, "sms")

    found = delivery(member, note_id, "sms")
    assert (found.state, int(found.attempts)) == (SENT, 2)
    assert len(real.sent) == 1


STEPS = st.lists(st.sampled_from(["deliver", "die sending", "die marking", "wait", "away", "quiet", "loud", "turn"]), max_size=25)


@given(steps=STEPS)
def test_in_any_order_of_trouble_it_arrives_once(steps: list[str]):
    ports = {
        "table": {"BACKEND": f"{__name__}.FatedTable"},
        "clock": {"BACKEND": "tests.fixtures.FakeClock"},
        "sms": {"BACKEND": f"{__name__}.FatedSms"},
        "push": {"BACKEND": f"{__name__}.FatedPush"},
        "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
    }
    FATE.spare()
    DedupingBackend.delivered.clear()
    with override_settings(PORTS=settings.PORTS | ports, EMAIL_BACKEND=f"{__name__}.FatedBackend"):
        member = reachable(new_user())
        note_id = told(member, "digest")
        for step in steps:
            _take(step, member, note_id)
        wished(member, quiet_from=None, quiet_until=None)
        wiring.clock().advance(days=1)
        _turn_all(member)
        for _ in range(2):
            deliver(SYSTEM, member.user_id, note_id, "email")
        assert delivery(member, note_id, "email").state == SENT
        assert len(DedupingBackend.delivered) == 1


def _take(step: str, member, note_id: str) -> None:
    match step:
        case "wait":
            wiring.clock().advance(seconds=LEASE.total_seconds() + 1)
        case "quiet":
            wished(member, quiet_from=0, quiet_until=23 * 60)
        case "loud":
            wished(member, quiet_from=None, quiet_until=None)
        case "turn":
            wiring.clock().advance(hours=12)
            _turn_all(member)
        case _:
            FATE.kill({"die sending": 5, "die marking": 6}.get(step, 0), after=step == "die sending")
            with contextlib.suppress(Killed):
                deliver(SYSTEM, member.user_id, note_id, "email")
            FATE.spare()


def _turn_all(member) -> None:
    """Every entry on the wheel whose minute has come."""
    now = wiring.clock().now()
    entries = [item for item in _stored() if isinstance(item, HeldDelivery) and item.at <= now]
    release(SYSTEM, entries, now)


def _stored() -> list[object]:
    return [from_raw(raw) for raw in list(wiring.table_adapter()._items.values())]
