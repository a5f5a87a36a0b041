"""What the tests of deliveries begin with: a member who can be reached on every channel, and something to be told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ids import id_of
from goalgraph.table import keys, table
from goals import services as goals
from goals import task_services
from notifications import address_services, device_services, services, tasks
from notifications.items import Delivery, NotificationPreferences
from notifications.notices import Notice
from notifications.repository import preferences, save_preferences

FCM_TOKEN = "fcm-token-of-a-phone-0123456789"


def reachable(actor: Actor, *, token: str = FCM_TOKEN) -> Actor:
    """`actor` with an address of every kind."""
    address_services.adopt_email(SYSTEM, actor.user_id, f"{actor.user_id}@example.org")
    device_services.register(actor, "fcm", token)
    return wished(actor, phone="+5511912345678")


def wished(actor: Actor, **attributes: Any) -> Actor:
    own = preferences(actor, actor.user_id)
    for name, value in attributes.items():
        setattr(own, name, value)
    save_preferences(actor, own)
    return actor


def run_proofs() -> None:
    """Does what workers do with the proofs that were asked for since."""
    jobs = wiring.jobs()
    due, jobs.sent[:] = [sent for sent in jobs.sent if sent[0] == address_services.SEND_PROOF], []
    for _, queue, arguments in due:
        assert queue in settings.QUEUE_NAMES
        tasks.send_proof(**arguments)


def set_email(actor: Actor, address: str | None) -> NotificationPreferences:
    """With what a worker does of it."""
    answer = address_services.set_email(actor, address)
    run_proofs()
    return answer


def set_phone(actor: Actor, number: str | None) -> NotificationPreferences:
    """With what a worker does of it."""
    answer = address_services.set_phone(actor, number)
    run_proofs()
    return answer


def stored_preferences(actor: Actor) -> NotificationPreferences:
    return preferences(actor, actor.user_id)


def task_of(actor: Actor, title: str = "Run 5 km") -> Any:
    goal = goals.create_goal(actor, {"title": "Health"})
    return task_services.add_task(actor, goal.id, {"title": title, "due_at": wiring.clock().now() + timedelta(hours=1)})


def told(actor: Actor, kind: str = "security", dedupe: str = "one", *, tenant_id: str | None = None, **notice: Any) -> str:
    """Tell the member something; returns the notification's id."""
    facts = {"memberId": "someone", "name": "Bruno", "title": "Run 5 km", "badge": "first_task", "level": 3, "text": "Hello"}
    facts |= notice.pop("facts", {})
    system = replace(SYSTEM, tenant_id=tenant_id)
    now = wiring.clock().now()
    services.notify(system, [Notice(actor.user_id, kind, dedupe, now, facts=facts, **notice)])
    return id_of(now, actor.user_id, kind, dedupe)


def delivery(actor: Actor, note_id: str, channel: str) -> Delivery:
    found = table(actor).get(keys.delivery(actor.user_id, note_id, channel), consistent=True)
    assert isinstance(found, Delivery)
    return found


class DedupingBackend(BaseEmailBackend):
    """A mail service that tells repetitions by `Message-ID`, as the proofs want one. `delivered` holds messages by it."""

    delivered: dict[str, Any] = {}

    def send_messages(self, messages):
        for message in messages:
            self.delivered.setdefault(message.extra_headers["Message-ID"], message)
        return len(messages)
