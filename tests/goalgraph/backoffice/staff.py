"""Somebody of the staff with a browser, and the authenticator app in their pocket."""

import itertools
import os
import re
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLResolver, get_resolver

PASSWORD = "correct horse battery staple"
_number = itertools.count(1)


def new_staff(*groups: str, **facts: Any) -> User:
    """Staff of a name that no other test uses: failed sign-ins are counted by name, and outlive a test."""
    name = f"staff-{os.getpid()}-{next(_number)}-{os.urandom(4).hex()}"
    user: User = get_user_model().objects.create_user(name, password=PASSWORD, **{"is_staff": True, **facts})
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def new_browser(**options: Any) -> Client:
    """A browser at an address of its own, for the same reason."""
    random = os.urandom(3)
    return Client(REMOTE_ADDR=f"10.{random[0]}.{random[1]}.{random[2]}", **options)


def sign_in(browser: Client, user: User, password: str = PASSWORD, after: str = "/admin/") -> Any:
    """What the sign-in page answers."""
    return browser.post(f"/admin/login/?next={after}", {"username": user.get_username(), "password": password})


def give_totp(user: User) -> str:
    """A secret that the user's authenticator app and we know."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def give_recovery_codes(user: User) -> list[str]:
    return RecoveryCodes.activate(user).generate_codes()


def code_of(secret: str) -> str:
    """What the authenticator app shows now (RFC 6238)."""
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def wrong_code(secret: str) -> str:
    return f"{(int(code_of(secret)) + 1) % 1_000_000:06}"


def text_of(page: Any) -> str:
    """What a reader sees, tags taken out and white space joined."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def has_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def admin_addresses() -> list[str]:
    """Every address of the back office that needs no id but a made-up one."""

    def walk(patterns: list[Any], prefix: str) -> list[str]:
        found = []
        for pattern in patterns:
            route = prefix + re.sub(r"<[^>]+>", "1", str(pattern.pattern)).lstrip("^").rstrip("$")
            found += walk(pattern.url_patterns, route) if isinstance(pattern, URLResolver) else [route]
        return found

    (admin_root,) = [one for one in get_resolver().url_patterns if isinstance(one, URLResolver) and one.namespace == "admin"]
    return [f"/{route}" for route in walk(list(admin_root.url_patterns), "admin/") if "(" not in route]
