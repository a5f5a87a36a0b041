"""The frame that every server here sends for an event: what `graphql-transport-ws` makes of it, the same bytes everywhere."""

import json
import os

SUBSCRIPTION = "subscription { onMessage { seq text author { id nickname } } }"
TEXT = "x" * int(os.environ.get("FANOUT_TEXT", "120"))
FIRST_SEQ = 100_000
"""Numbers of one length, so that all frames have one."""


def message(seq: int) -> dict[str, object]:
    """A chat message as a client sees it."""
    return {"seq": seq, "text": TEXT, "author": {"id": "ana", "nickname": "Ana"}}


def frame(seq: int) -> str:
    payload = {"data": {"onMessage": message(seq)}}
    return json.dumps({"id": "1", "type": "next", "payload": payload}, separators=(",", ":"))


SIZE = len(frame(FIRST_SEQ)) + 4  # of 126 to 65,535 bytes
"""Bytes on the wire, with the WebSocket's own header (RFC 6455, section 5.2)."""
ACK = '{"type":"connection_ack"}'
ACK_SIZE = len(ACK) + 2
