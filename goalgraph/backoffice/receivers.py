"""What follows from the signals of sign-in and of the second factor: sessions begin and change their key, and it is recorded."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import password_changed
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed, authenticator_reset, authenticator_used
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from goalgraph.backoffice import audit, sessions

_SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


@receiver(post_save, sender=LogEntry)
def _noted(instance: LogEntry, *, created: bool, **_: Any) -> None:
    if created:
        audit.note(instance)


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    if _of_staff(user):
        sessions.begin(request)
        _record(request, user, "Signed in.")


@receiver(user_logged_out)
def _signed_out(request: HttpRequest, user: AbstractBaseUser | None, **_: Any) -> None:
    _record(request, user, "Signed out.")


@receiver(password_changed)
def _password_changed(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    _record(request, user, "Changed their password.")


@receiver(authenticator_added)
def _factor_added(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    """Whoever sets a second factor up has just shown it, so the session counts as one that did. What it may do changes, and so its key."""
    if authenticator.type in _SECOND_FACTORS:
        record_authentication(request, user, "mfa", type=authenticator.type)
        request.session.cycle_key()
    _record(request, user, f"Added a second factor: {authenticator.get_type_display()}.")


@receiver(authenticator_used)
def _factor_shown_again(request: HttpRequest, *, reauthenticated: bool, **_: Any) -> None:
    """At a sign-in Django itself changes the session's key; here it is a session that is signed in already."""
    if reauthenticated:
        request.session.cycle_key()


@receiver(authentication_failed)
def _factor_failed(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Whoever comes this far has the password already, so five of these are an alarm."""
    _record(request, user, "Failed at the second factor.")


@receiver(authenticator_removed)
def _factor_removed(request: HttpRequest, user: AbstractBaseUser, authenticator: Authenticator, **_: Any) -> None:
    _record(request, user, f"Removed a second factor: {authenticator.get_type_display()}.")


@receiver(authenticator_reset)
def _codes_made(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    _record(request, user, "Made new recovery codes.")


def _of_staff(user: AbstractBaseUser | None) -> bool:
    return bool(user is not None and getattr(user, "is_staff", False))


def _record(request: HttpRequest, user: AbstractBaseUser | None, what: str) -> None:
    """A record of staff; what members do with their own sign-in at the embedded issuer is none."""
    if user is not None and _of_staff(user):
        audit.write(request, user=user, what=what, status=200)
