"""The floor under the home query: what remains when everything that GoalGraph adds is left out.

A bare ASGI application that runs the same, already validated document on objects that it holds since the start, asks the table's one raw
query through our transport, and answers. No sign-in, no limits, no Django, no thread, no items made of the query's answer.
"""

import os
from typing import Any

import django
import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.settings")
django.setup(set_prefix=False)

from graphql import execute_sync, parse  # noqa: E402

from goalgraph import wiring  # noqa: E402
from goalgraph.auth.actor import Actor  # noqa: E402
from goalgraph.graphql.schema import schema  # noqa: E402
from goalgraph.table import keys  # noqa: E402
from goals import services  # noqa: E402
from tests.bench.stage import MEMBER  # noqa: E402
from tests.bench.world import HOME  # noqa: E402

_document = parse(HOME)
_member = Actor(MEMBER)
_home = services.home(_member)
_span = keys.home_of(MEMBER)
_table = wiring.table_adapter()


class _Root:
    home = _home


def _answer() -> bytes:
    page = _table.query(_span, limit=None, forward=True, consistent=False, start=None)
    assert len(page.items) > 50
    result = execute_sync(_schema, _document, root_value=_Root)
    return orjson.dumps({"data": result.data})


def _schema_without_table() -> Any:
    """Our schema, whose `home` is the one at hand."""
    graphql_schema = schema.graphql_schema
    assert graphql_schema.query_type is not None
    graphql_schema.query_type.fields["home"].resolve = lambda root, _: root.home
    return graphql_schema


_schema = _schema_without_table()


async def application(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    body = _answer()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
