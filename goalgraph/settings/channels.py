"""Where notifications leave the platform: e-mail, push messages, text messages. See `docs/delivery.md`.

Read by `settings/base.py`; needs nothing but the environment. A channel that is not set up is not used.
"""

from typing import Any
from urllib.parse import urlsplit

import environ

_env = environ.Env()
_aws = {
    "region_name": _env.str("AWS_REGION", _env.str("AWS_DEFAULT_REGION", "us-east-1")),
    "endpoint_url": _env.str("AWS_ENDPOINT_URL", "") or None,
}

APP_URL = _env.str("APP_URL", "").rstrip("/")
"""Where members use the application; messages link to `<APP_URL>/notifications/<id>`. Empty: the web service itself."""

ANYMAIL_SCHEMES = {"ses": "anymail.backends.amazon_ses.EmailBackend"}
"""`EMAIL_URL=ses://` sends through Amazon SES. For any other of anymail's providers EMAIL_URL is `anymail://<its module>`, and its
settings are JSON in ANYMAIL, such as `{"POSTMARK_SERVER_TOKEN": "..."}`."""


def _email() -> dict[str, Any]:
    url = urlsplit(_env.str("EMAIL_URL", "consolemail://"))
    if url.scheme == "anymail":
        return _env.email_url_config("consolemail://", backend=f"anymail.backends.{url.hostname}.EmailBackend")
    if url.scheme in ANYMAIL_SCHEMES:
        return _env.email_url_config("consolemail://", backend=ANYMAIL_SCHEMES[url.scheme])
    config: dict[str, Any] = _env.email_url("EMAIL_URL", "consolemail://")
    return config


EMAIL_CONFIG = _email()
EMAIL_TIMEOUT = 10
ANYMAIL: dict[str, Any] = {
    # One attempt: one of the SDK's own after a lost answer would be a second message.
    "AMAZON_SES_CLIENT_PARAMS": {
        **_aws,
        "config": {"connect_timeout": 2, "read_timeout": 10, "retries": {"total_max_attempts": 1}},
    },
    "REQUESTS_TIMEOUT": (3, 10),
    **_env.json("ANYMAIL", default={}),
}
MAIL_FROM = _env.str("MAIL_FROM", "GoalGraph <hello@goalgraph.example>")
"""Whom members' mails come from, with a domain that the mail service has verified (SPF, DKIM, DMARC)."""
DEFAULT_FROM_EMAIL = SERVER_EMAIL = MAIL_FROM

SNS_PLATFORM_APPLICATIONS: dict[str, str] = {
    platform: arn for platform, arn in (("apns", _env.str("SNS_APNS_APPLICATION", "")), ("fcm", _env.str("SNS_FCM_APPLICATION", ""))) if arn
}
"""The ARNs of SNS's platform applications, by platform. One that is missing: no push messages to its phones."""
VAPID_PRIVATE_KEY = _env.str("VAPID_PRIVATE_KEY", "")
"""The key that push services of browsers know us by (RFC 8292): 32 bytes in base64url. A secret. Empty: no push messages to browsers."""
VAPID_SUBJECT = _env.str("VAPID_SUBJECT", "")
"""How push services reach us: mailto: or https:."""
SMS_ENABLED = _env.bool("SMS_ENABLED", default=False)
SMS_SENDER = _env.str("SMS_SENDER", "")
"""The name or number that text messages come from; empty: AWS's choice."""

DELIVERY_GIVE_UP_HOURS = _env.int("DELIVERY_GIVE_UP_HOURS", 24)
"""How long a delivery is tried."""

CHANNEL_PORTS: dict[str, dict[str, Any]] = {
    "push": {
        "BACKEND": "goalgraph.adapters.push.PlatformPush",
        "OPTIONS": {
            "region": _aws["region_name"],
            "endpoint_url": _aws["endpoint_url"],
            "applications": SNS_PLATFORM_APPLICATIONS,
            "vapid_key": VAPID_PRIVATE_KEY,
            "vapid_subject": VAPID_SUBJECT,
        },
    },
    "sms": {
        "BACKEND": "goalgraph.adapters.sns.SnsSms" if SMS_ENABLED else "goalgraph.adapters.sms.NoSms",
        "OPTIONS": {"region": _aws["region_name"], "endpoint_url": _aws["endpoint_url"], "sender": SMS_SENDER} if SMS_ENABLED else {},
    },
}
