"""A small server that answers as OpenSearch documents it, for just the routes and the clauses that our adapter uses.

It checks what OpenSearch would refuse (fields that the mapping does not know, aliases of two indices, versions) and scores by boosts alone:
no BM25. It stems with the same Snowball stemmers. It is no proof that OpenSearch itself agrees.
"""

import json
import re
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

Answer = tuple[int, Any]


@dataclass
class Index:
    template: Mapping[str, Any]
    created: float = field(default_factory=time.time)
    aliases: set[str] = field(default_factory=set)
    documents: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.template["mappings"]["properties"]

    def tokens(self, name: str, text: str) -> list[str]:
        analysis = self.template["settings"]["analysis"]
        chain = analysis["analyzer"][self.fields[name]["analyzer"]]["filter"]
        stems = [analysis["filter"][each]["language"] for each in chain if each in analysis["filter"]]
        return [_stemmed(stems[0], word) if stems else _folded(word) for word in re.findall(r"[^\W_]+", text.lower())]


class Refusal(Exception):
    def __init__(self, status: int, kind: str) -> None:
        self.status, self.kind = status, kind


class FakeOpenSearch:
    """`with FakeOpenSearch() as server: server.url`. `requests` are those that came, with their headers."""

    def __init__(self) -> None:
        self.forget()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                with outer._lock:
                    outer.requests.append((self.command, self.path, dict(self.headers)))
                    status, answer = outer.answer(self.command, self.path, body)
                content = b"" if self.command == "HEAD" else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_one

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakeOpenSearch":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        self._lock = threading.Lock()
        self.indices: dict[str, Index] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.failing: int | None = None
        """The status that every request gets."""

    def answer(self, method: str, path: str, body: str) -> Answer:
        if self.failing:
            return self.failing, {"error": {"type": "failing"}, "status": self.failing}
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        try:
            match [method, *parts]:
                case ["PUT", "_index_template", name]:
                    self.templates[name] = json.loads(body)
                    return 200, {"acknowledged": True}
                case ["HEAD", "_alias", name]:
                    return (200 if self.behind(name) else 404), None
                case ["POST", "_aliases"]:
                    self.alias(json.loads(body)["actions"])
                    return 200, {"acknowledged": True}
                case ["POST" | "PUT", "_bulk"]:
                    return 200, {"errors": False, "items": list(self.bulk(body.rstrip("\n").split("\n")))}
                case ["PUT", name]:
                    return self.create(name)
                case ["GET", name]:
                    return 200, self.about(name)
                case ["POST", name, "_refresh"]:
                    self.one(name)
                    return 200, {}
                case ["POST" | "GET", name, "_search"]:
                    return 200, {"hits": {"hits": self.search(self.one(name), json.loads(body))}}
        except Refusal as refusal:
            return refusal.status, {"error": {"type": refusal.kind, "reason": refusal.kind}, "status": refusal.status}
        raise AssertionError(f"no such route here: {method} {path} {parse_qs(urlsplit(path).query)}")

    # Indices -----------------------------------------------------------------------------------------------------------------------

    def behind(self, name: str) -> list[str]:
        return [index for index, found in self.indices.items() if fnmatch(index, name) or name in found.aliases]

    def one(self, name: str) -> Index:
        found = self.behind(name)
        if not found:
            raise Refusal(404, "index_not_found_exception")
        if len(found) > 1:
            raise Refusal(400, "illegal_argument_exception")
        return self.indices[found[0]]

    def create(self, name: str) -> Answer:
        if self.behind(name):
            raise Refusal(400, "resource_already_exists_exception")
        (template,) = (each for each in self.templates.values() if any(fnmatch(name, pattern) for pattern in each["index_patterns"]))
        self.indices[name] = Index(template["template"])
        return 200, {"acknowledged": True, "index": name}

    def about(self, name: str) -> dict[str, Any]:
        found = self.behind(name)
        if not found and "*" not in name:
            raise Refusal(404, "index_not_found_exception")
        return {
            index: {
                "aliases": {alias: {} for alias in self.indices[index].aliases},
                "settings": {"index": {"creation_date": str(int(self.indices[index].created * 1000))}},
            }
            for index in found
        }

    def alias(self, actions: list[dict[str, Any]]) -> None:
        """All or none of them."""
        after = {name: set(index.aliases) for name, index in self.indices.items()}
        for action in actions:
            ((kind, about),) = action.items()
            concerned = [name for name in after if fnmatch(name, about["index"])]
            if kind == "remove_index":
                for name in concerned:
                    del after[name]
            elif kind == "add":
                for name in concerned:
                    after[name].add(about["alias"])
            else:
                holders = [name for name in concerned if about["alias"] in after[name]]
                if about["must_exist"] and not holders:
                    raise Refusal(404, "aliases_not_found_exception")
                for name in holders:
                    after[name].remove(about["alias"])
        self.indices = {name: self.indices[name] for name in after}
        for name, aliases in after.items():
            self.indices[name].aliases = aliases

    def bulk(self, lines: list[str]) -> Iterator[dict[str, Any]]:
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            about = json.loads(action)["index"]
            try:
                status = self.store(about, json.loads(source))
            except Refusal as refusal:
                status = refusal.status
            yield {"index": {"_index": about["_index"], "_id": about["_id"], "status": status}}

    def store(self, about: Mapping[str, Any], source: dict[str, Any]) -> int:
        if about["require_alias"] and about["_index"] in self.indices:
            raise Refusal(404, "index_not_found_exception")
        index = self.one(about["_index"])
        assert about["version_type"] == "external_gte"
        assert index.template["mappings"]["dynamic"] == "strict"
        assert set(source) <= set(index.fields), "strict_dynamic_mapping_exception"
        known = index.documents.get(about["_id"])
        if known is not None and known[0] > about["version"]:
            return 409
        index.documents[about["_id"]] = (about["version"], source)
        return 201 if known is None else 200

    # Searching ---------------------------------------------------------------------------------------------------------------------

    def search(self, index: Index, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert body["sort"] == ["_score", {"id": "asc"}]
        scored = [(score(index, document, body["query"]), id) for id, (_, document) in index.documents.items()]
        hits = sorted((-points, id) for points, id in scored if points is not None)
        return [{"_id": id, "_score": -points} for points, id in hits[: body["size"]]]


def score(index: Index, document: Mapping[str, Any], query: Mapping[str, Any]) -> float | None:
    """None where `document` does not match."""
    ((kind, about),) = query.items()
    match kind:
        case "bool":
            return _bool(index, document, about)
        case "dis_max":
            return _best([score(index, document, each) for each in about["queries"]], about["tie_breaker"])
        case "multi_match":
            return _multi_match(index, document, about)
        case "term":
            ((name, value),) = about.items()
            return 1.0 if document.get(name) == value else None
        case "terms":
            ((name, values),) = about.items()
            return 1.0 if document.get(name) in values else None
        case "range":
            ((name, bounds),) = about.items()
            ((bound, value),) = bounds.items()
            assert bound == "lte"
            assert index.fields[name]["type"] == "date"
            return 1.0 if name in document and datetime.fromisoformat(document[name]) <= datetime.fromisoformat(value) else None
    raise AssertionError(f"no such query here: {kind}")


def _bool(index: Index, document: Mapping[str, Any], about: Mapping[str, Any]) -> float | None:
    if any(score(index, document, each) is None for each in about.get("filter", ())):
        return None
    if any(score(index, document, each) is not None for each in about.get("must_not", ())):
        return None
    should = [points for each in about.get("should", ()) if (points := score(index, document, each)) is not None]
    return sum(should) if len(should) >= about.get("minimum_should_match", 0) else None


def _multi_match(index: Index, document: Mapping[str, Any], about: Mapping[str, Any]) -> float | None:
    points: list[float | None] = []
    for weighted in about["fields"]:
        name, _, weight = weighted.partition("^")
        present = index.tokens(name, document[name]) if name in document else []
        asked = index.tokens(name, about["query"])
        if any(_alike(word, token, about) for word in asked for token in present):
            points.append(float(weight) * about.get("boost", 1.0))
    return _best(points, about["tie_breaker"])


def _alike(word: str, token: str, about: Mapping[str, Any]) -> bool:
    if about.get("type") == "bool_prefix":
        return token.startswith(word)
    return word == token or distance(word, token) <= about.get("fuzziness", 0)


def _best(points: list[float | None], tie_breaker: float) -> float | None:
    found = sorted((each for each in points if each is not None), reverse=True)
    return found[0] + tie_breaker * sum(found[1:]) if found else None


def distance(one: str, other: str) -> int:
    """Damerau-Levenshtein, each pair of letters moved at most once, as OpenSearch's `fuzzy_transpositions` counts."""
    rows = [list(range(len(other) + 1))]
    for at, letter in enumerate(one, start=1):
        row = [at]
        for to, another in enumerate(other, start=1):
            row.append(min(rows[-1][to] + 1, row[-1] + 1, rows[-1][to - 1] + (letter != another)))
            if at > 1 and to > 1 and letter == other[to - 2] and one[at - 2] == another:
                row[-1] = min(row[-1], rows[-2][to - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def _folded(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))


@cache
def _stemmer(language: str) -> Any:
    return TextAnalyzerBuilder(Tokenizer.raw()).filter(Filter.stemmer(language.lower())).build()


def _stemmed(language: str, word: str) -> str:
    return _folded(_stemmer(language).analyze(word)[0])
