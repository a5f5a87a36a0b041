"""What the audit log is made of: lines that name the line before them by its hash, in objects that are named by their last line.

    audit/2027/07/01/<chain>/000000000012-<hash>.jsonl

A chain begins with a value that follows from its id, so a chain cannot pass for another. The folder is of the day (UTC) on which the chain
began; objects are numbered from 1. A line holds no text that a member wrote: an item is told by its SHA-256 alone, which cannot be guessed
back from a short text, because each item holds a random `writeId`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from goalgraph.feed.changes import Change
from goalgraph.table.attributes import instant_text, json_text
from goalgraph.table.port import Raw

ROOT = "audit/"
_NAME = re.compile(r"(\d{12})-([0-9a-f]{64})\.jsonl", re.ASCII)


@dataclass(frozen=True, slots=True)
class ObjectName:
    """`number` is its place in the chain, from 1; `hash` that of its last line."""

    number: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        found = _NAME.fullmatch(text)
        return cls(int(found[1]), found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.number:012d}-{self.hash}.jsonl"


def folder(chain_id: str, began_at: datetime) -> str:
    """Of all objects of a chain, with a slash at the end."""
    year, month, day = instant_text(began_at)[:10].split("-")
    return f"{ROOT}{year}/{month}/{day}/{chain_id}/"


def month_of(began_at: datetime) -> str:
    """`YYYYMM`, in UTC."""
    return instant_text(began_at)[:7].replace("-", "")


def genesis(chain_id: str) -> str:
    """What the first line of a chain has for the hash of the line before it."""
    return hash_of(f"goalgraph audit log 1 {chain_id}".encode())


def hash_of(line: bytes) -> str:
    """Of a line as it stands in the log, without its end of line."""
    return hashlib.sha256(line).hexdigest()


def fingerprint(image: Raw | None) -> str | None:
    """The SHA-256 of an item, None where there is none. The same for the same item, in whatever order its attributes and sets come.

    The canonical form is JSON of DynamoDB's own notation, with sorted keys and sets, without spaces, binary values in base64, in UTF-8.
    """
    if image is None:
        return None
    canonical = json.dumps(_canonical(image), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hash_of(canonical.encode())


def _canonical(value: Any) -> Any:
    """Binary values are bytes from GetRecords and base64 in a Lambda event."""
    if isinstance(value, Mapping):
        return {name: _canonical(entry) for name, entry in value.items()} | {
            name: sorted(map(_canonical, value[name])) for name in ("SS", "NS", "BS") if isinstance(value.get(name), list)
        }
    if isinstance(value, list):
        return [_canonical(entry) for entry in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def written(changes: Sequence[Change], *, number: int, prev: str) -> tuple[bytes, str]:
    """The lines of `changes`, the first of which has `number` and follows the line whose hash is `prev`; and the hash of the last one.

    The same changes at the same place make the same bytes.
    """
    lines = []
    for place, change in enumerate(changes, number):
        line = json_text(_facts(change) | {"number": place, "prev": prev}).encode()
        lines.append(line + b"\n")
        prev = hash_of(line)
    return b"".join(lines), prev


def _facts(change: Change) -> dict[str, Any]:
    """Who removed an item is written nowhere in the table, so that of a removal we know only who changed the item last."""
    item, new = change.item, change.new
    return {
        "sequence": change.sequence,
        "at": instant_text(change.at),
        "tenant": change.tenant_id,
        "actor": new.actor_id if new is not None else None,
        "lastActor": item.actor_id if new is None else None,
        "trace": new.trace_id if new is not None else None,
        "type": _type_of(change),
        "pk": change.key.pk,
        "sk": change.key.sk,
        "kind": change.kind,
        "version": int(item.version),
        "before": fingerprint(change.old_image),
        "after": fingerprint(change.new_image),
        "expired": change.expired,
    }


def _type_of(change: Change) -> str:
    image = change.new_image or change.old_image or {}
    return str(image["type"]["S"])


@dataclass(frozen=True, slots=True)
class Line:
    """What of a line holds the chain together."""

    number: int
    prev: str
    hash: str


def lines_of(body: bytes) -> list[Line | None]:
    """The lines of an object, None in the place of what is no line of ours."""
    *lines, rest = body.split(b"\n")
    return [_line(text) for text in lines] + ([None] if rest else [])


def _line(text: bytes) -> Line | None:
    try:
        value = json.loads(text)
        number, prev = value["number"], value["prev"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Line(number, prev, hash_of(text)) if type(number) is int and isinstance(prev, str) else None
