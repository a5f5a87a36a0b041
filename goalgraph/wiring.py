"""Which adapter stands behind which port. Read this file first.

`settings.PORTS` has the shape of Django's own `STORAGES`: `{"table": {"BACKEND": "dotted.path", "OPTIONS": {...}}}`. Each port is built
once per process, on first use.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from goalgraph.ports.audit_log import AuditLog
    from goalgraph.ports.clock import Clock
    from goalgraph.ports.events import EventBus
    from goalgraph.ports.jobs import Jobs
    from goalgraph.ports.leaderboards import Leaderboards
    from goalgraph.ports.link_checker import LinkChecker
    from goalgraph.ports.live import Live
    from goalgraph.ports.moderator import Moderator
    from goalgraph.ports.payments import Payments
    from goalgraph.ports.presence import Presence
    from goalgraph.ports.push import Push
    from goalgraph.ports.search import SearchIndex
    from goalgraph.ports.sms import Sms
    from goalgraph.ports.streams import ChangeStream
    from goalgraph.table.port import Adapter


@cache
def port(name: str) -> Any:
    """The adapter behind `name`. Raises ImproperlyConfigured when `PORTS` has no such entry."""
    try:
        config = settings.PORTS[name]
    except KeyError as error:
        raise ImproperlyConfigured(f"PORTS names no adapter for {name!r}") from error
    return import_string(config["BACKEND"])(**config.get("OPTIONS", {}))


def audit_log() -> "AuditLog":
    return cast("AuditLog", port("audit_log"))


def clock() -> "Clock":
    return cast("Clock", port("clock"))


def event_bus() -> "EventBus":
    return cast("EventBus", port("event_bus"))


def jobs() -> "Jobs":
    return cast("Jobs", port("jobs"))


def leaderboards() -> "Leaderboards":
    return cast("Leaderboards", port("leaderboards"))


def link_checker() -> "LinkChecker":
    return cast("LinkChecker", port("link_checker"))


def live() -> "Live":
    return cast("Live", port("live"))


def moderator() -> "Moderator":
    return cast("Moderator", port("moderator"))


def payments() -> "Payments":
    return cast("Payments", port("payments"))


def presence() -> "Presence":
    return cast("Presence", port("presence"))


def search() -> "SearchIndex":
    return cast("SearchIndex", port("search"))


def stream() -> "ChangeStream":
    return cast("ChangeStream", port("stream"))


def push() -> "Push":
    return cast("Push", port("push"))


def sms() -> "Sms":
    return cast("Sms", port("sms"))


def table_adapter() -> "Adapter":
    return cast("Adapter", port("table"))


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "PORTS":
        port.cache_clear()


setting_changed.connect(_forget)
