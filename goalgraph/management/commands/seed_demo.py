"""`manage.py seed_demo`: the demo data, once."""

from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from goalgraph.table.port import TableError
from goalgraph.table.transport import Refused


class Command(BaseCommand):
    help = "Loads demo members, staff and companies. Safe to repeat: it changes nothing that is there. Local and test settings only."

    def handle(self, *args: Any, **options: Any) -> None:
        from goalgraph.adapters.local import demo

        made = False
        try:
            for line in demo.load():
                self.stdout.write(f"  {line}")
                made = True
        except ImproperlyConfigured as error:
            raise CommandError(f"No demo data: {error}") from error
        except (OperationalError, ProgrammingError, Group.DoesNotExist) as error:
            raise CommandError("The SQL database is not ready. Run `manage.py migrate`; `manage.py doctor` says more.") from error
        except (TableError, Refused) as error:
            raise CommandError("The table is not ready. Run `manage.py create_table`; `manage.py doctor` says more.") from error
        if not made:
            self.stdout.write("  The demo data is there already. Nothing was changed.")
