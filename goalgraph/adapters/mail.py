"""Hands one e-mail to whatever `EMAIL_BACKEND` names, and says in the platform's own words what went wrong.

There is no port: Django's backends are the seam (DESIGN: mail is EMAIL_BACKEND).
"""

import os
import smtplib
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from goalgraph.ports.sending import Refused, Unavailable

_REFUSED_BY_SES = frozenset({"MessageRejected", "BadRequestException"})
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html - all other errors pass, or are ours to repair."""
_kept: dict[tuple[int, str], Any] = {}


def send(message: EmailMultiAlternatives) -> str:
    """Hand over one message and return what the provider calls it. Raises Refused, Unavailable."""
    message.connection = _connection()
    try:
        if not message.send():
            raise Refused("no recipient")
    except (AnymailRecipientsRefused, AnymailInvalidAddress) as error:
        raise Refused("address") from error
    except AnymailAPIError as error:
        raise _meaning(error) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise _of_smtp([code for code, _ in error.recipients.values()]) from error
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _of_smtp([error.smtp_code]) from error
    except (AnymailError, smtplib.SMTPException, OSError) as error:
        raise Unavailable(type(error).__name__) from error
    status = getattr(message, "anymail_status", None)
    return str((status and status.message_id) or message.extra_headers.get("Message-ID", ""))


def _connection() -> Any:
    """anymail's backends keep their client, and to build SES's takes 0.1 s; those of SMTP connect anew, for servers hang up on the idle."""
    name = settings.EMAIL_BACKEND
    if not name.startswith("anymail."):
        return get_connection()
    key = (os.getpid(), name)
    if key not in _kept:
        connection = get_connection()
        connection.open()
        _kept.clear()
        _kept[key] = connection
    return _kept[key]


def _meaning(error: AnymailAPIError) -> Exception:
    if isinstance(error.response, dict):  # boto3's
        code, said = error.response.get("Error", {}).get("Code", ""), error.response.get("Error", {}).get("Message", "")
        ours = "not verified" in said  # the sender's identity, or an account that is still in the sandbox
        return Refused(code) if code in _REFUSED_BY_SES and not ours else Unavailable(code)
    status = error.status_code
    return Refused(str(status)) if status in (400, 406, 413, 422) else Unavailable(str(status or type(error.__cause__).__name__))


def _of_smtp(codes: list[int]) -> Exception:
    """5xx is for good, 4xx for now (RFC 5321, section 4.2.1)."""
    worst = max(codes, default=0)
    return Refused(str(worst)) if worst >= 500 else Unavailable(str(worst))
