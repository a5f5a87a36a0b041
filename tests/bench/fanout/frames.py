"""The frame that every server here sends for an event: what `graphql-transport-ws` makes of it, the same bytes everywhere."""

import json

SUBSCRIPTION = "subscription { onMessage { seq text author { id nickname } } }"
FIRST_SEQ = 100_000
"""Numbers of one length, so that all frames have one."""


def message(seq: int) -> dict[str, object]:
    """A chat message as a client sees it."""
    return {"seq": seq, "text": "x" * 120, "author": {"id": "ana", "nickname": "Ana"}}


def frame(seq: int) -> str:
    payload = {"data": {"onMessage": message(seq)}}
    return json.dumps({"id": "1", "type": "next", "payload": payload}, separators=(",", ":"))


SIZE = len(frame(FIRST_SEQ)) + 4
"""Bytes on the wire, with the WebSocket's own header (RFC 6455, section 5.2)."""
ACK = '{"type":"connection_ack"}'
ACK_SIZE = len(ACK) + 2
