"""How SQL is opened: SQLite by several processes at once, PostgreSQL with connections that are looked at before they are used again."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.utils import ConnectionHandler

ROOT = Path(__file__).resolve().parents[3]
WRITERS, WRITES = 4, 25


@pytest.fixture
def file(db: None, tmp_path: Path) -> dict[str, Any]:
    """The tests' own settings of SQLite, for a file."""
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3":
        pytest.skip("NOT TESTED: this is about a file of SQLite, and the database is another one")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "db.sqlite3"),
        "OPTIONS": settings.DATABASES["default"]["OPTIONS"],
    }


def test_readers_do_not_wait_for_writers(file: dict[str, Any]) -> None:
    connection = ConnectionHandler({"default": file})["default"]
    with connection.cursor() as cursor:
        modes = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "busy_timeout")}
    connection.close()

    assert modes == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 20_000}


def test_many_who_read_and_then_write_wait_for_each_other(file: dict[str, Any]) -> None:
    """Without `transaction_mode` the second of two who have read is refused at its write: `database is locked`."""
    handler = ConnectionHandler({"default": file})
    with handler["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE counter (count INTEGER)")
        cursor.execute("INSERT INTO counter VALUES (0)")
    handler["default"].close()

    def count(_: int) -> None:
        connection = ConnectionHandler({"default": file})["default"]
        for _ in range(WRITES):
            _count_once(connection)
        connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(count, range(WRITERS)))
    with handler["default"].cursor() as cursor:
        assert cursor.execute("SELECT count FROM counter").fetchone() == (WRITERS * WRITES,)
    handler["default"].close()


def _count_once(connection: Any) -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with connection.cursor() as cursor:
        (seen,) = cursor.execute("SELECT count FROM counter").fetchone()
        cursor.execute("UPDATE counter SET count = %s", [seen + 1])
    connection.commit()
    connection.set_autocommit(True)


@pytest.mark.parametrize(("query", "age"), [("", None), ("?conn_max_age=60", 60)])
def test_a_connection_to_postgresql_is_checked_before_it_is_used_again(query: str, age: int | None) -> None:
    code = "import json; from goalgraph.settings.base import DATABASES; print(json.dumps(DATABASES['default']))"
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": f"postgres://user:password@db.example/goalgraph{query}"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)

    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert found["CONN_HEALTH_CHECKS"] is True
    assert found.get("CONN_MAX_AGE") == age
    assert "transaction_mode" not in found.get("OPTIONS", {})
