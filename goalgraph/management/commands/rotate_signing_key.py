"""`manage.py rotate_signing_key`: a new key for the embedded issuer, in use at once, without a restart."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from goalgraph.auth.access import issuer_is_embedded


class Command(BaseCommand):
    help = "Makes a new signing key for the embedded issuer. Older tokens stay valid; a key is dropped a day after it was replaced."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        from goalgraph.adapters.local.issuer_keys import signing_keys

        if not issuer_is_embedded():
            raise CommandError("The issuer is not this service: rotate the key there.")
        try:
            new = signing_keys().rotate()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"New tokens are signed by {new.kid}.")
        self.stdout.write(f"Published keys: {len(signing_keys().all())}.")
