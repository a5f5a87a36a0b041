"""Devices: whose they are, how many, and that their count is exact."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.errors import Invalid, NotFound, RateLimited
from goalgraph.ports.sending import Refused, Unavailable
from notifications import device_services
from notifications.delivery_services import deliver
from tests.fixtures import FakeClock, new_user
from tests.notifications.delivery_world import stored_preferences, told
from tests.notifications.test_delivery_faults import ForgetfulTable

KEYS = {"p256dh": "p", "auth": "a"}


@pytest.mark.usefixtures("memory_world")
class TestDevices:
    def test_registering_again_is_no_second_device(self, actor):
        first = device_services.register(actor, "fcm", "token")
        again = device_services.register(actor, "FCM", "token")
        web = device_services.register(actor, "web", "https://push.example.org/1", KEYS)
        assert again.device_id == first.device_id
        assert {device.device_id for device in device_services.devices(actor)} == {first.device_id, web.device_id}
        assert stored_preferences(actor).devices == 2
        assert web.secrets == KEYS

    def test_removing_it_twice_is_once(self, actor):
        device = device_services.register(actor, "fcm", "token")
        assert device_services.remove(actor, device.device_id) is True
        assert device_services.remove(actor, device.device_id) is True
        assert device_services.devices(actor) == []
        assert stored_preferences(actor).devices == 0
        with pytest.raises(NotFound):
            device_services.remove(actor, "a#b")

    def test_nobody_removes_anothers(self, actor):
        other = new_user()
        device = device_services.register(actor, "fcm", "token")
        device_services.remove(other, device.device_id)
        assert len(device_services.devices(actor)) == 1

    def test_a_phone_that_another_member_signs_in_on_is_theirs_alone(self, actor):
        other = new_user()
        device_services.register(actor, "fcm", "kept")
        device_services.register(actor, "fcm", "shared")
        device_services.register(other, "fcm", "shared")
        note_id = told(actor)
        deliver(SYSTEM, actor.user_id, note_id, "push")

        assert [stored_preferences(member).devices for member in (actor, other)] == [1, 1]
        assert len(device_services.devices(other)) == 1
        theirs = device_services.devices(other)[0].endpoint
        assert [address for _, address in wiring.push().sent if address == theirs] == []
        device_services.register(actor, "fcm", "shared")
        assert [len(device_services.devices(member)) for member in (actor, other)] == [2, 0]

    def test_of_more_than_ten_the_oldest_goes(self, actor, memory_world: FakeClock):
        for number in range(device_services.MAX_DEVICES):
            device_services.register(actor, "fcm", f"token {number}")
            memory_world.advance(minutes=1)
        again = device_services.register(actor, "fcm", "token 0")
        memory_world.advance(minutes=1)
        before = device_services.devices(actor)
        new = device_services.register(actor, "fcm", "one more")

        after = device_services.devices(actor)
        assert [device.device_id for device in after] == [*(device.device_id for device in before[1:]), new.device_id]
        assert again.device_id in {device.device_id for device in after}
        assert stored_preferences(actor).devices == device_services.MAX_DEVICES

    @pytest.mark.parametrize(
        ("platform", "error", "field"),
        [
            ("windows", None, "platform"),
            ("fcm", Refused("token"), "token"),
            ("web", Refused("keys"), "subscription"),
            ("apns", Refused("platform"), "platform"),
        ],
    )
    def test_what_is_no_device_is_refused_by_its_field(self, actor, monkeypatch, platform, error, field):
        def refuse(*_):
            raise error

        monkeypatch.setattr(wiring.push(), "register", refuse)
        with pytest.raises(Invalid) as refused:
            device_services.register(actor, platform, "token", KEYS)
        assert refused.value.field == field
        assert device_services.devices(actor) == []

    def test_a_provider_that_is_away_asks_to_come_again(self, actor, monkeypatch):
        def away(*_):
            raise Unavailable("timeout")

        monkeypatch.setattr(wiring.push(), "register", away)
        with pytest.raises(RateLimited):
            device_services.register(actor, "fcm", "token")

    def test_a_device_that_was_registered_again_is_not_forgotten_for_what_it_was(self, actor, memory_world: FakeClock):
        old = device_services.register(actor, "fcm", "token")
        memory_world.advance(seconds=1)
        device_services.register(actor, "fcm", "token")
        device_services.forget(SYSTEM, old)
        assert len(device_services.devices(actor)) == 1
        assert stored_preferences(actor).devices == 1


@pytest.mark.usefixtures("dynamo_world")
def test_counts_are_exact_for_many_at_once():
    members = [new_user() for _ in range(3)]
    work = [(member, f"token {number}") for number in range(4) for member in members] * 2
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda job: device_services.register(job[0], "fcm", job[1]), work))

    found = {member.user_id: [device.endpoint for device in device_services.devices(member)] for member in members}
    assert sum(map(len, found.values())) == 4  # each device is somebody's, and nobody else's
    assert len({endpoint for endpoints in found.values() for endpoint in endpoints}) == 4
    assert {member.user_id: int(stored_preferences(member).devices) for member in members} == {
        user_id: len(endpoints) for user_id, endpoints in found.items()
    }


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=30))
def test_with_every_answer_lost_once_each_device_has_one_owner_and_each_count_is_exact(steps):
    ports = {
        "table": {"BACKEND": f"{ForgetfulTable.__module__}.ForgetfulTable"},
        "clock": {"BACKEND": "tests.fixtures.FakeClock"},
        "push": {"BACKEND": "goalgraph.adapters.push.RecordingPush"},
    }
    with override_settings(PORTS=settings.PORTS | ports):
        members, owners, ids = [new_user() for _ in range(3)], {}, {}
        for who, which, there in steps:
            if there:
                ids[which] = device_services.register(members[who], "fcm", f"token {which}").device_id
                owners[which] = who
            elif which in ids:
                device_services.remove(members[who], ids[which])
                if owners.get(which) == who:
                    del owners[which]
        for number, member in enumerate(members):
            assert {device.device_id for device in device_services.devices(member)} == {
                ids[which] for which, who in owners.items() if who == number
            }
            assert int(stored_preferences(member).devices) == len(device_services.devices(member))
