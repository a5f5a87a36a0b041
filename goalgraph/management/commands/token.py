"""`manage.py token USER`: an access token of the local issuer, for trying the API by hand."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from goalgraph.auth.claims import TIERS


class Command(BaseCommand):
    help = "Prints an access token of the local issuer for a user id, which need not exist yet. Local and test settings only."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the user id, which becomes the token's subject")
        parser.add_argument("--tier", choices=TIERS, default="free")
        parser.add_argument("--minutes", type=int, default=60, help="how long the token is valid, 1 to 1440 (default: 60)")
        parser.add_argument("--tenant", default=None, help="the company tenant the member belongs to")

    def handle(self, *_args: Any, **options: Any) -> None:
        from goalgraph.adapters.local.issuer import mint_access_token

        try:
            token = mint_access_token(options["user"], tier=options["tier"], tenant_id=options["tenant"], minutes=options["minutes"])
        except (ImproperlyConfigured, ValueError) as error:
            raise CommandError(f"No token: {error}") from error
        self.stdout.write(token)
