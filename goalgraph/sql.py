"""SQL outside of Django's requests and Celery's tasks: on the shared threads of the API, which no signal of Django's cleans up after."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections


@contextmanager
def sql() -> Iterator[None]:
    """A connection that is alive, and that is closed afterwards unless `CONN_MAX_AGE` keeps it. Within a transaction it does nothing."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
