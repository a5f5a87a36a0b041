"""The embedded AWS emulator: ministack, which also saves on a timer.

Run by the Python of `.venv-emulator`, which has ministack and none of GoalGraph's own packages, so this file imports neither Django nor
`goalgraph`:

    .venv-emulator/bin/python -I goalgraph/adapters/local/emulator.py --port 18000 --data .local/aws

With `--data` the state is kept in that folder. ministack itself saves only when it stops in good order. Here it is also saved a moment
after each write, so a `kill -9` loses the last seconds at most. Without `--data` nothing is kept.

It listens on 127.0.0.1 and nowhere else. SIGTERM and SIGINT stop it.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

SERVICES = "dynamodb,dynamodbstreams,events,firehose,iam,s3,ses,sns,sqs,sts"
"""What GoalGraph calls. ministack answers anything else with an error."""

MIN_PAUSE = 2.0
"""Seconds between two saves at least: the most that a kill -9 loses while there is little data."""
PAUSE_PER_SAVE = 20
MAX_PAUSE = 10.0
"""A save stops the emulator for its duration, which grows with the data. Pausing 20 times as long keeps the loss of speed under 5%, as
long as that puts no more than 10 s of writes at risk."""

# ReceiveMessage hides a message for a while; where that is forgotten, the message is received again, as SQS may always do.
_READS = ("BatchGet", "Describe", "Get", "List", "Query", "ReceiveMessage", "Scan", "TransactGet")


def environment(port: int, data: str | None) -> dict[str, str]:
    """ministack's own settings. It reads them when it is imported."""
    settings = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "SERVICES": SERVICES,
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1" if data else "0",
        "S3_PERSIST": "1" if data else "0",
    }
    if data:
        settings |= {"STATE_DIR": os.path.join(data, "state"), "S3_DATA_DIR": os.path.join(data, "s3")}
    return settings


def may_write(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request may have changed anything. Unknown ones count as writes: one save too many is better than one too few."""
    target = next((value for name, value in headers if name.lower() == b"x-amz-target"), b"")
    if target:
        return not target.decode("latin-1").rpartition(".")[2].startswith(_READS)
    return method not in {"GET", "HEAD", "OPTIONS"}


class TimedSave:
    """Wraps the emulator's ASGI application and calls `save` after writes, on the event loop, so that what is saved is consistent."""

    def __init__(self, app: App, save: Callable[[], None]) -> None:
        self.app = app
        self.save = save
        self.written = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http" and may_write(scope["method"], scope["headers"]):
                self.written.set()

    async def run(self) -> None:
        """Save after each write, but pause after each save. Runs until it is cancelled."""
        while True:
            await self.written.wait()
            self.written.clear()
            began = time.monotonic()
            self.save()
            await asyncio.sleep(min(MAX_PAUSE, max(MIN_PAUSE, PAUSE_PER_SAVE * (time.monotonic() - began))))


def allow_many_connections() -> None:
    """Lift the limit of open files (256 on macOS) as far as we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(port: int, data: str | None) -> None:
    """Run the emulator until SIGTERM or SIGINT. ministack saves once more on the way out."""
    from hypercorn.asyncio import serve as hypercorn_serve  # type: ignore[import-not-found]
    from hypercorn.config import Config  # type: ignore[import-not-found]
    from ministack import app as ministack
    from ministack.core.persistence import save_all

    app = TimedSave(ministack.app, lambda: save_all(ministack._build_persistence_save_dict()))
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.5
    config.keep_alive_timeout = 75

    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    saver = asyncio.create_task(app.run()) if data else None
    try:
        await hypercorn_serve(app, config, shutdown_trigger=stop.wait)
    finally:
        if saver:
            saver.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description="The embedded AWS emulator.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", help="folder for the state; without it nothing is kept")
    options = parser.parse_args()
    data = os.path.abspath(options.data) if options.data else None
    os.environ.update(environment(options.port, data))
    allow_many_connections()
    asyncio.run(serve(options.port, data))


if __name__ == "__main__":
    main()
