"""What goes wrong between us and a store: answers that get lost, servers that cut, throttle and fail. All of it on loopback."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeVar

import orjson
import urllib3

from goalgraph.table.port import Adapter, Key, Operation, Raw, RawPage, Span, TableError

T = TypeVar("T")


class LosesAnswers:
    """An adapter whose every answer gets lost once: each call takes effect, nobody hears of it, and it is made again, as an SDK does."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def get(self, key: Key, *, consistent: bool) -> Raw | None:
        return _twice(lambda: self._adapter.get(key, consistent=consistent))

    def get_many(self, keys: Sequence[Key], *, consistent: bool) -> list[Raw]:
        return _twice(lambda: self._adapter.get_many(keys, consistent=consistent))

    def query(self, span: Span, *, limit: int | None, forward: bool, consistent: bool, start: Raw | None) -> RawPage:
        return _twice(lambda: self._adapter.query(span, limit=limit, forward=forward, consistent=consistent, start=start))

    def put(self, raw: Raw, condition: Any) -> None:
        _twice(lambda: self._adapter.put(raw, condition))

    def update(self, key: Key, actions: Sequence[Any], condition: Any) -> Raw:
        return _twice(lambda: self._adapter.update(key, actions, condition))

    def delete(self, key: Key, condition: Any) -> None:
        _twice(lambda: self._adapter.delete(key, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        _twice(lambda: self._adapter.transact(operations, token))


def _twice(call: Callable[[], T]) -> T:
    with contextlib.suppress(TableError):  # a refusal gets lost as well
        call()
    return call()


@dataclass(frozen=True, slots=True)
class Request:
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """DynamoDB's name of what is asked: `PutItem`, ..."""
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(orjson.loads(self.body))


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    missing: int = 0
    """How many bytes more the response announces than it has."""

    @classmethod
    def of(cls, answer: Any, status: int = 200) -> Self:
        return cls(status, orjson.dumps(answer))

    @classmethod
    def error(cls, name: str, message: str = "", *, status: int = 400, **more: Any) -> Self:
        """As AWS spells it: the exception's name with its namespace in `__type`."""
        return cls.of({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": message, **more}, status)


CUT = None
"""Instead of a response: the connection ends without a word."""

Respond = Callable[[Request], Response | None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Loopback:
    """An HTTP server on a free port of loopback. `respond` makes its answers; `requests` is what came, in order. A context manager."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[Request] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(handler) -> None:
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                request = Request(dict(handler.headers.items()), body)
                self.requests.append(request)
                response = self.respond(request)
                handler.close_connection = response is CUT or response.missing > 0
                if response is not CUT:
                    handler.send_response(response.status)
                    handler.send_header("Content-Length", str(len(response.body) + response.missing))
                    handler.end_headers()
                    handler.wfile.write(response.body)

            def log_message(handler, *_: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def in_turn(*responses: Response | None) -> Respond:
    """Answers with each of `responses` in turn, and with the last one ever after."""
    left = list(responses)
    return lambda _request: left.pop(0) if len(left) > 1 else left[0]


def forward_to(url: str) -> Respond:
    """A proxy: passes each request on and its answer back."""
    pool = urllib3.PoolManager(maxsize=128)

    def respond(request: Request) -> Response:
        answer = pool.request("POST", url, body=request.body, headers=request.headers, retries=False)
        return Response(answer.status, answer.data)

    return respond


def cutting_first_answers(respond: Respond) -> Respond:
    """Lets each request take effect, and cuts the connection instead of answering the first time that it is made."""
    seen: set[tuple[str, bytes]] = set()

    def respond_or_cut(request: Request) -> Response | None:
        response = respond(request)
        mark = (request.operation, request.body)
        if mark in seen:
            return response
        seen.add(mark)
        return CUT

    return respond_or_cut
