"""Amazon SNS: push messages to phones through platform endpoints, and text messages to telephones.

SNS has no key by which it tells repetitions: a message that is published twice arrives twice (docs/delivery.md).
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from goalgraph.ports.push import APNS, FCM, Endpoint, PushMessage
from goalgraph.ports.sending import Gone, Refused, Unavailable

T = TypeVar("T")

MAX_SECONDS = 4 * 7 * 24 * 3600
"""How long FCM and APNs keep a message for a device that is offline, at most."""

_GONE = frozenset({"EndpointDisabled", "NotFound"})
_REFUSED = frozenset({"InvalidParameter", "InvalidParameterValue", "Validation", "ValidationError", "OptedOut"})
_NO_ENDPOINT = "No endpoint found"
_EXISTS = re.compile(r"Endpoint (arn:aws[^ ]*:sns[^ ]+) already exists with the same [Tt]oken")
_APNS_TOKEN = re.compile(r"[0-9A-Fa-f]{64,200}", re.ASCII)
_FCM_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{20,2048}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9]\d{5,14}", re.ASCII)


class SnsClient:
    """One boto3 client a process, built on first use. It is safe across threads, and not across a fork (Celery's workers are forked).

    It makes one attempt: one of the SDK's own after a lost answer would be a second message.
    """

    def __init__(self, *, region: str, endpoint_url: str | None = None) -> None:
        self._config = {"region_name": region, "endpoint_url": endpoint_url}
        self._client: Any = None
        self._pid = 0

    def call(self, ask: Callable[[Any], T]) -> T:
        """What `ask(client)` returns. Raises Gone, Refused, Unavailable."""
        try:
            return ask(self._own())
        except ClientError as error:
            raise _meaning(error) from error
        except BotoCoreError as error:
            raise Unavailable(type(error).__name__) from error

    def _own(self) -> Any:
        if self._pid != os.getpid():
            config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
            self._client, self._pid = boto3.client("sns", config=config, **self._config), os.getpid()  # type: ignore[call-overload]
        return self._client


def _meaning(error: ClientError) -> Exception:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors"""
    code, said = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    name = code.removesuffix("Exception")
    if name in _GONE or (name in _REFUSED and _NO_ENDPOINT in said):
        return Gone(name)
    return Refused(name) if name in _REFUSED else Unavailable(name)


class SnsPush:
    """Phones. `applications` are the ARNs of the platform applications, by platform: `{"apns": "arn:...", "fcm": "arn:..."}`."""

    def __init__(self, client: SnsClient, applications: Mapping[str, str]) -> None:
        self._client = client
        self._applications = applications

    def register(self, platform: str, token: str) -> Endpoint:
        """As AWS says to: https://docs.aws.amazon.com/sns/latest/dg/mobile-platform-endpoint.html"""
        application = self._applications.get(platform)
        if application is None:
            raise Refused("platform")
        if not {APNS: _APNS_TOKEN, FCM: _FCM_TOKEN}[platform].fullmatch(token):
            raise Refused("token")
        arn = self._client.call(lambda sns: _create(sns, application, token))
        try:
            self._enable(arn, token)
        except Gone:  # it was deleted in between
            arn = self._client.call(lambda sns: _create(sns, application, token))
            self._enable(arn, token)
        return Endpoint(platform, arn)

    def _enable(self, arn: str, token: str) -> None:
        """An endpoint that was disabled, or that has another token by now, is made to work again."""
        found = self._client.call(lambda sns: sns.get_endpoint_attributes(EndpointArn=arn))["Attributes"]
        wanted = {"Token": token, "Enabled": "true"}
        if any(found.get(name, "").lower() != value.lower() for name, value in wanted.items()):
            self._client.call(lambda sns: sns.set_endpoint_attributes(EndpointArn=arn, Attributes=wanted))

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        seconds = max(0, min(message.seconds, MAX_SECONDS))
        answer = self._client.call(
            lambda sns: sns.publish(
                TargetArn=endpoint.address,
                MessageStructure="json",
                Message=json.dumps(_by_platform(message)),
                MessageAttributes={
                    "AWS.SNS.MOBILE.APNS.TTL": _text(seconds),
                    "AWS.SNS.MOBILE.APNS_SANDBOX.TTL": _text(seconds),
                    "AWS.SNS.MOBILE.FCM.TTL": _text(seconds),
                    "AWS.SNS.MOBILE.APNS.PRIORITY": _text(10 if message.urgent else 5),
                    "AWS.SNS.MOBILE.APNS.PUSH_TYPE": _text("alert"),
                    "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": _text(message.key[:64]),
                },
            )
        )
        return str(answer["MessageId"])


def _create(sns: Any, application: str, token: str) -> str:
    try:
        return str(sns.create_platform_endpoint(PlatformApplicationArn=application, Token=token)["EndpointArn"])
    except ClientError as error:
        found = _EXISTS.search(error.response["Error"].get("Message", ""))
        if found is None:
            raise
        return found[1]


def _by_platform(message: PushMessage) -> dict[str, str]:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html

    A phone that is told the same key again replaces what it shows: by FCM's `tag`, by APNs' collapse id.
    """
    alert = {"title": message.title, "body": message.body}
    apple = json.dumps({"aps": {"alert": alert, "sound": "default"}, "url": message.url, "key": message.key}, ensure_ascii=False)
    android = {"priority": "high" if message.urgent else "normal", "notification": {"tag": message.key}}
    google = {"message": {"notification": alert, "data": {"url": message.url, "key": message.key}, "android": android}}
    return {
        "default": message.title,
        "APNS": apple,
        "APNS_SANDBOX": apple,
        "GCM": json.dumps({"fcmV1Message": google}, ensure_ascii=False),
    }


class SnsSms:
    """Telephones. `sender` is a name of at most 11 letters and digits where a country allows it, or a number of ours. Empty: AWS's."""

    def __init__(self, *, region: str, endpoint_url: str | None = None, sender: str = "") -> None:
        self._client = SnsClient(region=region, endpoint_url=endpoint_url)
        self._sender = sender

    def send(self, number: str, text: str, *, key: str) -> str:  # noqa: ARG002 - SNS looks at no key
        """https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html"""
        if not _NUMBER.fullmatch(number):
            raise Refused("number")
        attributes = {"AWS.SNS.SMS.SMSType": _text("Transactional")}
        if self._sender:
            origin = "AWS.MM.SMS.OriginationNumber" if self._sender.startswith("+") else "AWS.SNS.SMS.SenderID"
            attributes[origin] = _text(self._sender)
        answer = self._client.call(lambda sns: sns.publish(PhoneNumber=number, Message=text, MessageAttributes=attributes))
        return str(answer["MessageId"])


def _text(value: object) -> dict[str, str]:
    return {"DataType": "String", "StringValue": str(value)}
