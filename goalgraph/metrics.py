"""What Prometheus may know: counts and times by names of ours. No label ever holds a member's id or anything a client wrote."""

from django.http import HttpRequest
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from goalgraph.table.metering import Meter

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_requests = Counter("goalgraph_http_requests_total", "HTTP requests answered.", ["method", "route", "status"])
_request_seconds = Histogram("goalgraph_http_request_seconds", "Time to answer an HTTP request.", ["route"], buckets=_SECONDS)
_operations = Counter("goalgraph_graphql_operations_total", "GraphQL operations, by first root field.", ["operation", "outcome"])
_operation_seconds = Histogram("goalgraph_graphql_operation_seconds", "Time to execute an operation.", ["operation"], buckets=_SECONDS)
_round_trips = Counter("goalgraph_table_round_trips_total", "Round trips to the table.", ["operation"])
_read_units = Counter("goalgraph_table_read_units_total", "Read capacity units taken, by AWS's published rules.", ["operation"])
_write_units = Counter("goalgraph_table_write_units_total", "Write capacity units taken, by AWS's published rules.", ["operation"])
_documents = Counter("goalgraph_graphql_documents_total", "GraphQL documents looked up in the cache.", ["found"])
_unlimited = Counter("goalgraph_rate_limit_unavailable_total", "Requests let through because the rate limit's store did not answer.")

_feed_lag = Gauge("goalgraph_feed_lag_seconds", "For how long a consumer has not been at the end of the change feed.", ["consumer"])


def request(http: HttpRequest, status: int, seconds: float) -> None:
    """Count an answered request. `seconds` is the wall-clock time it took."""
    from goalgraph.api import VIEWS

    page = http.resolver_match.view_name or "unnamed" if http.resolver_match else "other"
    route = http.path if http.path in VIEWS else page
    method = http.method if http.method in METHODS else "OTHER"
    _requests.labels(method, route, str(status)).inc()
    _request_seconds.labels(route).observe(seconds)


def operation(name: str, outcome: str, seconds: float, meter: Meter) -> None:
    """Count an executed GraphQL operation. `name` is a root field of the schema, `outcome` is `ok` or an error code."""
    _operations.labels(name, outcome).inc()
    _operation_seconds.labels(name).observe(seconds)
    if meter.round_trips:
        _round_trips.labels(name).inc(meter.round_trips)
        _read_units.labels(name).inc(meter.read_units)
        _write_units.labels(name).inc(meter.write_units)


def refused(outcome: str) -> None:
    """Count a GraphQL request that was refused before it was executed."""
    _operations.labels("refused", outcome).inc()


def document(*, cached: bool) -> None:
    _documents.labels("yes" if cached else "no").inc()


def unlimited() -> None:
    _unlimited.inc()


def feed_lag(consumer: str, seconds: float) -> None:
    _feed_lag.labels(consumer).set(seconds)


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
