"""The API's addresses: fixed paths, each answered by an async view without SQL, session or cookie (goalgraph.middleware.api)."""

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest, HttpResponse

from goalgraph import rest
from goalgraph.graphql.view import graphql

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]

VIEWS: dict[str, View] = {
    "/graphql": graphql,
    "/me": rest.me,
    "/profile": rest.profile,
    "/healthz": rest.healthz,
    "/readyz": rest.readyz,
    "/metrics": rest.metrics,
}
