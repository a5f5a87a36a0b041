"""Notifications in GraphQL."""

from typing import Any

import graphene
from graphene.relay import Connection

from goalgraph.graphql import relay
from goalgraph.graphql.scalars import DateTime
from goalgraph.ports.live import Stream
from goalgraph.table.table import Page
from notifications import domain, items, reminder_services, services
from notifications.services import Why


class Notification(graphene.ObjectType):
    """Something that the member at hand was told."""

    id = graphene.ID(required=True, description="Its id; ids sort by time.")
    kind = graphene.String(required=True, description=f"What it is about: {', '.join(domain.KINDS)}.")
    title = graphene.String(required=True, description="One line, in the member's language at the time.")
    body = graphene.String(required=True, description="What there is to say beside it; may be empty, may have several lines.")
    subject = graphene.ID(description="What it is about: the id of a task, a room or a member, as its kind has it.")
    created_at = DateTime(required=True, description="When it happened.")
    read_at = DateTime(description="When it was marked as read.")
    snoozed_until = DateTime(description="Of a reminder that was put off: when it comes again.")

    @staticmethod
    def resolve_created_at(note: items.Notification, _: graphene.ResolveInfo) -> Any:
        """A note that came late stands where its time is, as its id does."""
        return note.happened_at


NotificationConnection: type[Connection] = relay.connection(Notification, "notifications")


class KindPreference(graphene.ObjectType):
    """How the member wants to be told of one kind: now, digest or off for each channel."""

    kind = graphene.String(required=True, description="Which.")
    critical = graphene.Boolean(required=True, description="Whether it heeds neither quiet hours nor caps, and cannot be turned off.")
    in_app = graphene.String(required=True, description="In the application: now or off.")
    email = graphene.String(required=True, description="By e-mail.")
    push = graphene.String(required=True, description="By push message.")
    sms = graphene.String(required=True, description="By text message.")


class QuietHours(graphene.ObjectType):
    """When nothing is sent outwards, unless it is critical; it comes when they are over."""

    begin = graphene.String(required=True, description="As the member's clock shows it, such as 22:00.")
    end = graphene.String(required=True, description="As the member's clock shows it, such as 07:00.")


class NotificationPreferences(graphene.ObjectType):
    """How the member at hand wants to be told."""

    kinds = graphene.List(graphene.NonNull(KindPreference), required=True, description="For each kind.")
    quiet_hours = graphene.Field(QuietHours, description="When to be left alone; null: never.")
    digest_at = graphene.String(required=True, description="When the daily digest comes, as the member's clock shows it.")
    email = graphene.String(description="Where mails go.")
    phone = graphene.String(description="Where text messages go.")

    @staticmethod
    def resolve_kinds(preferences: items.NotificationPreferences, _: graphene.ResolveInfo) -> list[KindPreference]:
        wishes = services.wishes(preferences)
        return [
            KindPreference(kind=name, critical=kind.critical, **{channel: wishes.of(name, channel) for channel in domain.CHANNELS})
            for name, kind in domain.KINDS.items()
        ]

    @staticmethod
    def resolve_quiet_hours(preferences: items.NotificationPreferences, _: graphene.ResolveInfo) -> QuietHours | None:
        quiet = services.wishes(preferences).quiet
        return None if quiet is None else QuietHours(begin=domain.time_text(quiet.begin), end=domain.time_text(quiet.end))

    @staticmethod
    def resolve_digest_at(preferences: items.NotificationPreferences, _: graphene.ResolveInfo) -> str:
        return domain.time_text(int(preferences.digest_at))


class WhyNotified(graphene.ObjectType):
    """What became of a notification on one channel, and why."""

    channel = graphene.String(required=True, description="in_app, email, push or sms.")
    decision = graphene.String(required=True, description="send, hold (until quiet hours are over), digest or drop.")
    reason = graphene.String(required=True, description="A code, such as wanted, quiet_hours, in_digest, off, no_address, capped, expired.")
    until = DateTime(description="Until when it was held, or when its digest is due.")
    state = graphene.String(description="Where it is sent outwards: pending, held, sent, failed or dropped by now.")
    sent_at = DateTime(description="When it was sent.")
    sentence = graphene.String(required=True, description="The same in words, in the member's language.")


class KindPreferenceInput(graphene.InputObjectType):
    """Wishes for one kind. A channel that is left out stays as it is, a null gives its default back."""

    kind = graphene.String(required=True, description="Which.")
    in_app = graphene.String(description="now or off.")
    email = graphene.String(description="now, digest or off.")
    push = graphene.String(description="now, digest or off.")
    sms = graphene.String(description="now, digest or off.")


class QuietHoursInput(graphene.InputObjectType):
    """Times of day as the member's clock shows them; past midnight where `end` is the earlier one."""

    begin = graphene.String(required=True, description="Such as 22:00.")
    end = graphene.String(required=True, description="Such as 07:00.")


class NotificationPreferencesInput(graphene.InputObjectType):
    """Changes of preferences. A field that is left out stays as it is, a null gives the default back."""

    kinds = graphene.List(graphene.NonNull(KindPreferenceInput), description="Those that change.")
    quiet_hours = graphene.Field(QuietHoursInput, description="Null: none.")
    digest_at = graphene.String(description="Such as 08:00.")


class Query:
    notifications = graphene.Field(
        graphene.NonNull(NotificationConnection), description="What the member at hand was told, newest first.", **relay.PAGE_ARGUMENTS
    )
    notification_preferences = graphene.Field(
        graphene.NonNull(NotificationPreferences), description="How the member at hand wants to be told."
    )
    why_notified = graphene.List(
        graphene.NonNull(WhyNotified),
        required=True,
        id=graphene.ID(required=True, description="A notification of one's own."),
        description="Why a notification was sent, held or dropped: an entry for each channel.",
    )

    @staticmethod
    def resolve_notifications(_: Any, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return services.notifications_page(info.context.actor, limit=limit, after=after, forward=forward)

        return relay.resolve(NotificationConnection, fetch, **page)

    @staticmethod
    def resolve_notification_preferences(_: Any, info: graphene.ResolveInfo) -> items.NotificationPreferences:
        return services.preferences(info.context.actor)

    @staticmethod
    def resolve_why_notified(_: Any, info: graphene.ResolveInfo, id: str) -> list[Why]:
        return services.why(info.context.actor, id)


class Mutation:
    update_notification_preferences = graphene.Field(
        graphene.NonNull(NotificationPreferences),
        input=NotificationPreferencesInput(required=True, description="What changes."),
        description="Say how one wants to be told.",
    )
    mark_notifications_read = graphene.Boolean(
        required=True,
        ids=graphene.List(graphene.NonNull(graphene.ID), description=f"These, at most {services.MAX_IDS}."),
        until=graphene.ID(description="This one and those before it."),
        all=graphene.Boolean(description="All of them."),
        description=(
            "Mark notifications as read; one of the three says which. Of `until` and `all` it looks at the newest "
            f"{services.MAX_READ_AT_ONCE:,}. Those that were read stay as they are. Always true."
        ),
    )

    snooze_reminder = graphene.Field(
        graphene.NonNull(Notification),
        id=graphene.ID(required=True, description="Which notification of a reminder."),
        minutes=graphene.Int(required=True, description="After how many minutes from now, 1 to 10080 (a week)."),
        description="Be reminded again later. A second snooze of the same reminder takes the place of the first.",
    )

    @staticmethod
    def resolve_snooze_reminder(_: Any, info: graphene.ResolveInfo, id: str, minutes: int) -> items.Notification:
        return reminder_services.snooze(info.context.actor, id, minutes)

    @staticmethod
    def resolve_update_notification_preferences(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> items.NotificationPreferences:
        return services.update_preferences(info.context.actor, input)

    @staticmethod
    def resolve_mark_notifications_read(
        _: Any, info: graphene.ResolveInfo, ids: list[str] | None = None, until: str | None = None, all: bool | None = None
    ) -> bool:
        return services.mark_read(info.context.actor, ids=ids, until=until, everything=bool(all))


class Subscription:
    on_notification = graphene.Field(
        graphene.NonNull(Notification),
        description="What the member at hand is told, as it happens. After a pause read `notifications`: nothing is repeated here.",
    )

    @staticmethod
    def subscribe_on_notification(_: Any, info: graphene.ResolveInfo) -> Stream:
        return services.follow(info.context.actor)

    @staticmethod
    def resolve_on_notification(note: items.Notification, _: graphene.ResolveInfo) -> items.Notification:
        return note


LIST_SIZES = {
    "NotificationPreferences.kinds": len(domain.KINDS),
    "Query.whyNotified": len(domain.CHANNELS),
}
"""About how long the lists without pages are, for the cost of a request."""
