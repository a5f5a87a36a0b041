"""`manage.py create_table`: make the single table what its definition says."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from goalgraph import wiring
from goalgraph.table.creation import TableMismatch, ensure
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.transport import Refused


class Command(BaseCommand):
    help = "Creates the DynamoDB table with its indexes, stream and expiry, or completes the one that is there. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        adapter = wiring.table_adapter()
        if not isinstance(adapter, DynamoTable):
            raise CommandError(f"The table port is {type(adapter).__name__}, which has no table to create.")
        try:
            for done in ensure(adapter.connection, adapter.name):
                self.stdout.write(f"  {done}")
        except TableMismatch as error:
            raise CommandError(f"{error}. Choose another GOALGRAPH_TABLE, or move that table away.") from error
        except Refused as error:
            raise CommandError(f"DynamoDB refuses: {error}") from error
