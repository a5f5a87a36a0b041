"""`python -m tests.bench.stock.seed`: make the SQLite database and fill it with the `home` that standard input holds as JSON."""

import json
import sys
from typing import Any

import django
from django.core.management import call_command


def seed(home: dict[str, Any]) -> None:
    from tests.bench.stock.models import Aggregate, Goal, Profile, Task

    user, stats = home["user"], home["gameStats"]
    profile = Profile.objects.create(**_snake_case(user))
    Goal.objects.bulk_create(Goal(owner=profile, **_snake_case(goal, without="progress")) for goal in home["goals"])
    Task.objects.bulk_create(Task(owner=profile, **_snake_case(task)) for task in home["agenda"])
    streak = {f"streak_{name}": days for name, days in stats["streak"].items()}
    badges = [badge["id"] for badge in stats["badges"]]
    Aggregate.objects.create(profile=profile, score=stats["score"], level=stats["level"], badges=badges, **streak)


def _snake_case(fields: dict[str, Any], without: str = "") -> dict[str, Any]:
    def snake_case(name: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)

    return {snake_case(name): value for name, value in fields.items() if name != without}


if __name__ == "__main__":
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    seed(json.load(sys.stdin))
