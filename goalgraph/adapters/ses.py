"""Has Amazon SES send for the domain of `MAIL_FROM`."""

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings


class SesUnavailable(Exception):
    """SES refuses, or does not answer."""


def ensure_sender() -> Iterator[str]:
    """Make the domain an identity of ours, where it is none; yields a sentence for each thing that was done or is to be done.

    Safe to repeat. On AWS, the owner of the domain then proves it by three DNS records
    (https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html). Raises SesUnavailable.
    """
    try:
        yield from _ensure_sender(parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2])
    except (BotoCoreError, ClientError) as error:
        raise SesUnavailable(str(error)) from error


def _ensure_sender(domain: str) -> Iterator[str]:
    params = {name: value for name, value in settings.ANYMAIL["AMAZON_SES_CLIENT_PARAMS"].items() if name != "config"}
    client: Any = boto3.client("sesv2", **params)
    try:
        found = client.get_email_identity(EmailIdentity=domain)
    except client.exceptions.NotFoundException:
        client.create_email_identity(EmailIdentity=domain)
        yield f"created the identity {domain}"
        found = client.get_email_identity(EmailIdentity=domain)
    if not found.get("VerifiedForSendingStatus"):
        for token in found.get("DkimAttributes", {}).get("Tokens", []):
            yield f"to do: CNAME {token}._domainkey.{domain} {token}.dkim.amazonses.com"
