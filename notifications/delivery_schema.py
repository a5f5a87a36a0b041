"""Devices and addresses in GraphQL: where a member's notifications go."""

from typing import Any

import graphene

from goalgraph import wiring
from goalgraph.errors import Invalid
from goalgraph.ports.push import WEB
from notifications import address_services, device_services
from notifications.items import Device as DeviceItem
from notifications.items import NotificationPreferences as Preferences
from notifications.schema import NotificationPreferences


class Device(graphene.ObjectType):
    """A phone or browser that push messages go to."""

    id = graphene.ID(required=True, description="The device's id, for as long as it is registered.")
    platform = graphene.String(required=True, description="apns, fcm or web.")
    created_at = graphene.DateTime(required=True, description="When it was registered first.")

    @staticmethod
    def resolve_id(device: DeviceItem, _: graphene.ResolveInfo) -> str:
        return device.device_id


class SubscriptionKeysInput(graphene.InputObjectType):
    """The keys of a browser's push subscription, in base64url."""

    p256dh = graphene.String(required=True, description="The subscription's public key.")
    auth = graphene.String(required=True, description="The subscription's secret.")


class SubscriptionInput(graphene.InputObjectType):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it."""

    endpoint = graphene.String(required=True, description="The push service's address; https.")
    keys = graphene.Field(SubscriptionKeysInput, required=True, description="The subscription's keys.")
    expiration_time = graphene.Float(description="Is not looked at: a subscription that ended is forgotten when its push service says so.")


class DeviceInput(graphene.InputObjectType):
    """A phone by its token, or a browser by its subscription."""

    platform = graphene.String(required=True, description="apns, fcm or web.")
    token = graphene.String(description="Of apns and fcm: what the phone's system gave the application.")
    subscription = graphene.Field(SubscriptionInput, description="Of web.")


class Query:
    devices = graphene.List(
        graphene.NonNull(Device), required=True, description="The devices that push messages of the member at hand go to; at most 10."
    )
    web_push_key = graphene.String(description="The `applicationServerKey` of a browser's subscription; null where there is no Web Push.")

    @staticmethod
    def resolve_devices(_: Any, info: graphene.ResolveInfo) -> list[DeviceItem]:
        return device_services.devices(info.context.actor)

    @staticmethod
    def resolve_web_push_key(_: Any, _info: graphene.ResolveInfo) -> str | None:
        return wiring.push().web_key()


class Mutation:
    register_device = graphene.Field(
        graphene.NonNull(Device),
        input=DeviceInput(required=True, description="Which."),
        description="Have push messages sent to a device. Repeat it whenever the application starts; the oldest of more than 10 goes.",
    )
    remove_device = graphene.Boolean(
        required=True, id=graphene.ID(required=True, description="Which."), description="Send nothing to a device any more. Always true."
    )
    set_email = graphene.Field(
        graphene.NonNull(NotificationPreferences),
        email=graphene.String(description="The address; null: no more e-mails."),
        description="Have a link sent to an e-mail address, by which it becomes the member's. Until then, the old one counts.",
    )
    set_phone = graphene.Field(
        graphene.NonNull(NotificationPreferences),
        phone=graphene.String(description="The number with its country, such as +5511912345678; null: no more text messages."),
        description="Have a code of 6 digits sent to a mobile phone, for confirmPhone. Until then, the old one counts.",
    )
    confirm_phone = graphene.Field(
        graphene.NonNull(NotificationPreferences),
        code=graphene.String(required=True, description="The code. It is valid for 10 minutes, and for 5 tries."),
        description="Prove that a number is the member's.",
    )

    @staticmethod
    def resolve_register_device(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> DeviceItem:
        platform, subscription = input["platform"], input.get("subscription")
        if platform.lower() == WEB:
            if subscription is None:
                raise Invalid("A browser is registered by its subscription.", field="subscription")
            return device_services.register(info.context.actor, WEB, subscription["endpoint"], dict(subscription["keys"]))
        if input.get("token") is None:
            raise Invalid("A phone is registered by its token.", field="token")
        return device_services.register(info.context.actor, platform, input["token"])

    @staticmethod
    def resolve_remove_device(_: Any, info: graphene.ResolveInfo, id: str) -> bool:
        return device_services.remove(info.context.actor, id)

    @staticmethod
    def resolve_set_email(_: Any, info: graphene.ResolveInfo, email: str | None = None) -> Preferences:
        return address_services.set_email(info.context.actor, email)

    @staticmethod
    def resolve_set_phone(_: Any, info: graphene.ResolveInfo, phone: str | None = None) -> Preferences:
        return address_services.set_phone(info.context.actor, phone)

    @staticmethod
    def resolve_confirm_phone(_: Any, info: graphene.ResolveInfo, code: str) -> Preferences:
        return address_services.confirm_phone(info.context.actor, code)


LIST_SIZES = {"Query.devices": device_services.MAX_DEVICES}
"""About how long the lists without pages are, for the cost of a request."""
