"""`python -m goalgraph.adapters.local.stripe`: serves the stand-in on 127.0.0.1 until SIGTERM or Ctrl-C."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

import uvicorn

from goalgraph.adapters.local.stripe.app import application
from goalgraph.adapters.local.stripe.fake import Fake

KEYS = ("sk_test_local", "sk_test_GoalGraphLocalNoMoneyMoves")
"""Known to everybody. The second one has the form that dj-stripe insists on."""


def end_with_owner() -> None:
    """Wait until the owner closes our standard input, or has died, and then stop in order."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m goalgraph.adapters.local.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, help="the file to keep everything in; without it all is gone at the end")
    parser.add_argument("--webhook-url", help="where every event is sent")
    parser.add_argument("--webhook-secret", default="whsec_local", help="what deliveries there are signed with")
    parser.add_argument("--key", action="append", help="a secret key that the API takes; may be given again")
    parser.add_argument("--first-pause", type=float, default=1.0, help="seconds before a delivery is tried a second time")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input closes, so with its owner")
    options = parser.parse_args()
    webhook = (options.webhook_url, options.webhook_secret) if options.webhook_url else None
    try:
        fake = Fake(options.state, webhook)
    except ValueError as error:
        print(f"The stand-in for Stripe does not start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if options.until_eof:
        threading.Thread(target=end_with_owner, daemon=True).start()
    uvicorn.run(
        application(fake, options.key or KEYS, first_pause=options.first_pause),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
