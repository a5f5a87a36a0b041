"""PynamoDB's connection over a lean transport: orjson, SigV4 with a cached signing key, one HTTP pool.

PynamoDB composes each request; botocore finds credentials and endpoint and signs. What is left out is botocore's validation and its
parsing of every attribute value by its model of the API, which cost most of a request's CPU (figures in docs/performance.md).
"""

import base64
import hashlib
import hmac
import random
import re
import time
from typing import Any
from urllib.parse import urlsplit

import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError
from pynamodb.connection import Connection

_TARGET = "DynamoDB_20120810."
_TRIES = 5
_TIMEOUT = urllib3.Timeout(connect=2.0, read=5.0)
_NO_ANSWER = "NoAnswer"
_BINARY = re.compile(rb'"BS?"\s*:')
_RETRIED = frozenset(
    {
        _NO_ANSWER,
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",  # one item was in another's transaction
        "TransactionInProgressException",
        "ExpiredTokenException",
    }
)


class Refused(Exception):
    """DynamoDB said no (`answer` is its body), or did not answer (`code` is `NoAnswer`), or we have no credentials (`NoCredentials`)."""

    def __init__(self, code: str, message: str, answer: dict[str, Any]) -> None:
        self.code, self.message, self.answer = code, message, answer
        super().__init__(f"{code}: {message}")


class _CachedKeySigner(SigV4Auth):
    """A signing key holds for a day, a region and a service, so it is derived once and not by four HMACs a request."""

    def __init__(self, credentials: Any, region: str) -> None:
        super().__init__(credentials, "dynamodb", region)
        self._scope = (region, "dynamodb", "aws4_request")
        self._cached: tuple[str, bytes] | None = None

    def signature(self, string_to_sign: str, request: Any) -> str:
        day = request.context["timestamp"][:8]
        cached = self._cached
        if cached is None or cached[0] != day:
            key = f"AWS4{self.credentials.secret_key}".encode()
            for part in (day, *self._scope):
                key = _hmac(key, part).digest()
            cached = self._cached = (day, key)
        return _hmac(cached[1], string_to_sign).hexdigest()


def _hmac(key: bytes, message: str) -> "hmac.HMAC":
    return hmac.new(key, message.encode(), hashlib.sha256)


class LeanConnection(Connection):
    """A `pynamodb.connection.Connection` that sends by itself. Safe to share between threads."""

    def __init__(self, *, region: str, host: str | None, max_pool_connections: int) -> None:
        super().__init__(region=region, host=host, max_pool_connections=max_pool_connections)
        self._credentials = self.session.get_credentials()
        self._url = self.client.meta.endpoint_url.rstrip("/") + "/"
        self._host_header = urlsplit(self._url).netloc
        self._pool = urllib3.PoolManager(maxsize=max_pool_connections, timeout=_TIMEOUT, retries=False)

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused. What may pass (throttling, faults of the server or of the network) is tried up to 5 times, with full jitter."""
        body = orjson.dumps(operation_kwargs, default=_plain)
        for turn in range(1, _TRIES + 1):
            try:
                return self._send(operation_name, body)
            except Refused as error:
                if turn == _TRIES or error.code not in _RETRIED:
                    raise
                time.sleep(random.uniform(0, min(1.0, 0.025 * 2**turn)))  # noqa: S311 - spreads load, guards nothing
        raise AssertionError("unreachable")

    def _send(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            response = self._pool.request("POST", self._url, body=body, headers=self._signed(operation, body), redirect=False)
            answer = orjson.loads(response.data)
        except (urllib3.exceptions.HTTPError, orjson.JSONDecodeError) as error:
            raise Refused(_NO_ANSWER, type(error).__name__, {}) from error
        if not isinstance(answer, dict):
            raise Refused(_NO_ANSWER, "the answer is no object", {})
        if _BINARY.search(response.data):
            answer = _with_bytes(answer)
        if response.status == 200:
            return answer
        code = str(answer.get("__type", "")).rpartition("#")[2]
        if not code or (response.status >= 500 and code not in _RETRIED):
            code = "InternalServerError"
        raise Refused(code, str(answer.get("message") or answer.get("Message") or ""), answer)

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        headers = {"Host": self._host_header, "X-Amz-Target": _TARGET + operation, "Content-Type": "application/x-amz-json-1.0"}
        request = AWSRequest(method="POST", url=self._url, data=body, headers=headers)
        try:
            if self._credentials is None:
                raise NoCredentialsError
            frozen = self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Refused("NoCredentials", str(error), {}) from error
        self._signer(frozen).add_auth(request)
        return dict(request.headers.items())

    def _signer(self, frozen: Any) -> _CachedKeySigner:
        signer = self._last_signer
        if signer is None or signer.credentials != frozen:
            signer = self._last_signer = _CachedKeySigner(frozen, self.region)
        return signer

    _last_signer: _CachedKeySigner | None = None


def _plain(value: Any) -> Any:
    """DynamoDB's JSON spells binary as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no attribute value")


def _with_bytes(value: Any) -> Any:
    """An answer with its binary attribute values (`{"B": "AP8="}`, `{"BS": [...]}`) as bytes. Rare, so others don't pay for it."""
    match value:
        case {"B": str(text)} if len(value) == 1:
            return {"B": base64.b64decode(text)}
        case {"BS": [*texts]} if len(value) == 1:
            return {"BS": [base64.b64decode(text) for text in texts]}
        case dict():
            return {name: _with_bytes(entry) for name, entry in value.items()}
        case list():
            return [_with_bytes(entry) for entry in value]
    return value
