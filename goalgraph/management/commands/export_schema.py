"""`manage.py export_schema`: write the served GraphQL schema to a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from graphql import lexicographic_sort_schema, print_schema

from goalgraph.graphql.schema import schema


class Command(BaseCommand):
    help = "Writes the served schema to schema.graphql (or to --out), in the order of the alphabet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, default=Path(settings.BASE_DIR) / "schema.graphql", help="the file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        text = print_schema(lexicographic_sort_schema(schema.graphql_schema)) + "\n"
        options["out"].write_text(text)
        self.stdout.write(f"wrote {options['out'].name}: {len(text.splitlines())} lines")
