"""`manage.py create_mail_identity`: have Amazon SES send for the domain of `MAIL_FROM`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from goalgraph.adapters import ses
from goalgraph.settings.channels import ANYMAIL_SCHEMES


class Command(BaseCommand):
    help = "Makes the domain of MAIL_FROM an identity of Amazon SES, and says which DNS records prove it. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        if ANYMAIL_SCHEMES["ses"] != settings.EMAIL_BACKEND:
            raise CommandError("EMAIL_URL is no ses://, so there is no identity to create.")
        try:
            for done in ses.ensure_sender():
                self.stdout.write(f"  {done}")
        except ses.SesUnavailable as error:
            raise CommandError(f"SES refuses, or does not answer: {error}") from error
