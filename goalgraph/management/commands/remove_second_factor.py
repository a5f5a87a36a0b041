"""`manage.py remove_second_factor`: for a lost device, or a lost `SECRET_KEY`, where no superuser can get in to do it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Removes somebody's second factor and recovery codes; the next sign-in sets up new ones. It is recorded. Ask who it is first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name that they sign in with")

    def handle(self, *_args: Any, user: str, **_options: Any) -> None:
        from goalgraph.backoffice import second_factor

        try:
            found = get_user_model().objects.get_by_natural_key(user)
        except get_user_model().DoesNotExist:
            raise CommandError("Nobody signs in with that name.") from None
        if second_factor.remove(found):
            self.stdout.write(f"{found} sets up a new second factor at the next sign-in.")
        else:
            self.stdout.write(f"{found} has no second factor.")
