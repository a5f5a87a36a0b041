"""What the pages say when a service that guards them is away."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin
from redis.exceptions import RedisError

from goalgraph.table.port import TableUnavailable


class ServiceAway(MiddlewareMixin):
    """Without Redis nobody's failed sign-ins can be counted, so nobody signs in: the page says so with 503. Open sessions go on, in SQL.
    Pages that show or change what members have need the table as well, and say the same without it.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, RedisError | TableUnavailable):
            return None
        return render(request, "503.html", status=HTTPStatus.SERVICE_UNAVAILABLE)
