"""Announcements from other processes than the web's: a command that ends at once, and a worker that was forked."""

import os
import subprocess
import sys
from collections.abc import Callable

from goalgraph import wiring
from goalgraph.adapters.live import ChannelsLive, RecordingLive
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.ports.live import Announcement, Event, Live
from tests.goalgraph.graphql.ws.client import Client
from tests.goalgraph.graphql.ws.test_streams import ON_ROOM_EVENT, settle

COMMAND = """
import django
django.setup()
from goalgraph import wiring
from goalgraph.ports.live import Event
for _ in range(20):
    wiring.live().announce("room.{room}", Event("typing", {{"by": "ana"}}))
"""


def test_a_command_that_ends_at_once_is_heard(open_client: Callable[..., Client], room: str) -> None:
    client = open_client()
    client.start(ON_ROOM_EVENT, {"room": room})
    settle(room, 1)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "goalgraph.settings.test"}
    subprocess.run([sys.executable, "-c", COMMAND.format(room=room)], check=True, cwd=ROOT, env=environment, timeout=60)
    for _ in range(20):
        assert client.hear()["payload"] == {"data": {"onRoomEvent": "typing"}}


def test_a_forked_worker_announces_by_itself() -> None:
    live = ChannelsLive()
    live.announce("room.x", Event("typing"))
    child = os.fork()
    if child == 0:
        done = False
        try:
            live.announce("room.x", Event("typing"))
            done = live.flush(10)
        finally:
            os._exit(0 if done else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert live.flush(10)
    live.close()


def test_an_announcement_travels_as_plain_data() -> None:
    for announcement in (
        Announcement("room.x", Event("message", {"text": "é", "list": [1, None, True]}, 7), ("ana", "bruno")),
        Announcement("room.x", Event("typing")),
        Announcement("room.x", Event("message", None, 0)),
    ):
        assert Announcement.from_message(announcement.to_message()) == announcement


def test_services_can_be_tested_with_what_they_announced() -> None:
    live: Live = RecordingLive()
    live.announce("room.x", Event("typing"), ends_for=["ana"])
    live.dismiss("ana", "suspended", tenant_id="acme")
    assert isinstance(live, RecordingLive)
    assert live.announced == [Announcement("room.x", Event("typing"), ("ana",))]
    assert live.dismissed == [("ana", "suspended", "acme")]


def test_the_port_is_wired() -> None:
    assert isinstance(wiring.live(), ChannelsLive)
