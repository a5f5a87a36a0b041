"""`OpenSearch`: the `search` port on an OpenSearch domain, as Amazon OpenSearch Service runs it (docs/adr/0018-search.md)."""

import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from opensearchpy import NotFoundError, OpenSearchException, Urllib3AWSV4SignerAuth
from opensearchpy import OpenSearch as Client

from goalgraph.adapters.search import words
from goalgraph.adapters.search.words import Word
from goalgraph.ports.search import Document, Filters, Hit, SearchUnavailable

CHUNK = 500
"""Documents that are filled in at once."""
FILLING_SECONDS = 900
"""A filling that began so long ago was broken off."""
SEARCH_SECONDS, WRITE_SECONDS = 3, 20

_CREATED, _REPLACED, _NEWER_IS_THERE, _NO_SUCH_ALIAS = 201, 200, 409, 404
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_GENERATION = re.compile(r"[0-9a-f]{12}")
_DATES = ("valid_from", "valid_to", "public_from")


class OpenSearch:
    """Each filling makes an index `<name>--<generation>`. The alias `<name>` is what is searched, `<name>--building` what is being filled;
    a document is written through both, so a search never sees an index that is half filled. No name holds `--`, so on a domain that
    several installations share (`gg`, `gg-test`) nobody touches another's indexes. Raises ValueError for a `name` of another form.

    Versions are compared by OpenSearch itself (version_type external_gte). A document that was withdrawn stays as a mark, for OpenSearch
    forgets the version of one that was deleted after a minute (index.gc_deletes). With a `region`, requests are signed (SigV4) with the
    credentials that boto3 finds.
    """

    def __init__(self, *, url: str, name: str, region: str | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"an index is named like gg-offers: small letters and digits, single hyphens between them; not {name!r}")
        credentials = boto3.Session().get_credentials() if region else None
        if region and credentials is None:
            raise SearchUnavailable("there are no credentials of AWS")
        self._client = Client(
            hosts=[url],
            http_auth=Urllib3AWSV4SignerAuth(credentials, region) if region else None,
            timeout=SEARCH_SECONDS,
            max_retries=1,
        )
        self._name, self._building, self._all = name, f"{name}--building", f"{name}--*"

    def put(self, documents: Sequence[Document]) -> None:
        """What is being filled first: where it takes its place in between, the second write goes there."""
        self._write([self._building, self._name], documents)

    def search(self, query: str, filters: Filters, *, language: str | None = None, limit: int = 20) -> list[Hit]:
        asked = words.asked(query)
        if not asked or limit < 1:
            return []
        body = {
            "query": _query(asked, filters, words.language_code(language)),
            "sort": ["_score", {"id": "asc"}],
            "size": limit,
            "track_total_hits": False,
            "_source": False,
        }
        with _guarded():
            answer = self._client.search(index=self._name, body=body)
        return [Hit(hit["_id"], hit["_score"]) for hit in answer["hits"]["hits"]]

    def is_complete(self) -> bool:
        with _guarded():
            return bool(self._client.indices.exists_alias(name=self._name))

    def fill(self, documents: Iterable[Document]) -> None:
        with _guarded():
            index = self._begin()
        remaining = iter(documents)
        while chunk := list(islice(remaining, CHUNK)):
            self._write([self._building], chunk, must=True)
        with _guarded():
            self._publish(index)

    # Generations -------------------------------------------------------------------------------------------------------------------

    def _begin(self) -> str:
        if any(_age(found) < FILLING_SECONDS for found in self._indices(self._building).values()):
            raise SearchUnavailable("it is being filled already")
        template = {"index_patterns": [self._all], "template": {"settings": _settings(), "mappings": _mappings()}}
        self._client.indices.put_index_template(name=self._name, body=template)
        index = f"{self._name}--{uuid.uuid4().hex[:12]}"
        self._client.indices.create(index=index)
        self._alias(
            {"remove": {"index": self._all, "alias": self._building, "must_exist": False}},
            {"add": {"index": index, "alias": self._building}},
        )
        return index

    def _publish(self, index: str) -> None:
        """In one step, and only where no other filling has taken over: then `remove` fails, and with it the whole step."""
        self._client.indices.refresh(index=index)
        others = [other for other in self._indices(self._all) if other != index and self._is_ours(other)]
        self._alias(
            {"remove": {"index": index, "alias": self._building, "must_exist": True}},
            {"add": {"index": index, "alias": self._name}},
            *({"remove_index": {"index": other}} for other in others),
        )

    def _is_ours(self, index: str) -> bool:
        """Whether a filling made it: what is removed is looked at twice."""
        name, _, generation = index.rpartition("--")
        return name == self._name and _GENERATION.fullmatch(generation) is not None

    def _indices(self, name: str) -> dict[str, Any]:
        try:
            return dict(self._client.indices.get(index=name))
        except NotFoundError:
            return {}

    def _alias(self, *actions: dict[str, Any]) -> None:
        self._client.indices.update_aliases(body={"actions": list(actions)})

    def _write(self, aliases: Sequence[str], documents: Sequence[Document], *, must: bool = False) -> None:
        """An alias that is not there is passed over, unless it `must`; it is never taken for the name of an index to be made."""
        lines: list[dict[str, Any]] = []
        for document in documents:
            for alias in aliases:
                about = {"_index": alias, "_id": document.id, "version": document.index_version, "version_type": "external_gte"}
                lines += [{"index": about | {"require_alias": True}}, _source(document)]
        if not lines:
            return
        with _guarded():
            answer = self._client.bulk(body=lines, request_timeout=WRITE_SECONDS)
        fine = {_CREATED, _REPLACED, _NEWER_IS_THERE} | (set() if must else {_NO_SUCH_ALIAS})
        if wrong := {item["index"]["status"] for item in answer["items"]} - fine:
            raise SearchUnavailable(f"documents were refused: {sorted(wrong)}")


@contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except (OpenSearchException, BotoCoreError) as error:
        raise SearchUnavailable(type(error).__name__) from error


def _age(found: dict[str, Any]) -> float:
    return time.time() - int(found["settings"]["index"]["creation_date"]) / 1000


def _settings() -> dict[str, Any]:
    """Accents go after stemming: the stemmers know words by them."""
    analyzers = {"words": ["lowercase", "asciifolding"]} | {
        code: ["lowercase", f"{code}_stems", "asciifolding"] for code in words.LANGUAGES
    }
    return {
        "analysis": {
            "filter": {f"{code}_stems": {"type": "snowball", "language": name} for code, name in words.LANGUAGES.items()},
            "analyzer": {name: {"type": "custom", "tokenizer": "standard", "filter": chain} for name, chain in analyzers.items()},
        }
    }


def _mappings() -> dict[str, Any]:
    text = {name: {"type": "text", "analyzer": "words"} for name in words.WEIGHTS}
    stems = {f"{name}_{code}": {"type": "text", "analyzer": code} for name in words.WEIGHTS for code in words.LANGUAGES}
    exact = {name: {"type": "keyword"} for name in ("id", "company", "tier")}
    dates = {name: {"type": "date"} for name in _DATES}
    return {"dynamic": "strict", "properties": {**text, **stems, **exact, **dates, "withdrawn": {"type": "boolean"}}}


def _source(document: Document) -> dict[str, Any]:
    if document.withdrawn:
        return {"id": document.id, "withdrawn": True}
    return {
        **words.texts(document),
        **{f"{name}_{code}": text for name, text in words.texts(document).items() for code in words.languages(document)},
        **{name: at.isoformat() for name in _DATES if (at := getattr(document, name)) is not None},
        "id": document.id,
        "company": document.company_id,
        "tier": document.tier,
        "withdrawn": False,
    }


def _query(asked: Sequence[Word], filters: Filters, own: str | None) -> dict[str, Any]:
    return {
        "bool": {
            "should": [_anywhere(word, own) for word in asked],
            "minimum_should_match": words.required(len(asked)),
            "filter": [
                {"term": {"withdrawn": False}},
                {"terms": {"tier": sorted(filters.tiers)}},
                _range("valid_from" if filters.early else "public_from", "lte", filters.at),
                _range("valid_from", "lte", filters.at),
                {"bool": {"must_not": [_range("valid_to", "lte", filters.at)]}},
            ],
            "must_not": [{"terms": {"company": sorted(filters.without)}}],
        }
    }


def _anywhere(word: Word, own: str | None) -> dict[str, Any]:
    """`word` in any field: as written, by its stem in each language, with letters wrong, and as the beginning of another."""
    written = [f"{name}^{weight}" for name, weight in words.WEIGHTS.items()]
    stems = [
        f"{name}_{code}^{weight * (words.OWN_LANGUAGE if code == own else 1.0)}"
        for name, weight in words.WEIGHTS.items()
        for code in words.LANGUAGES
    ]
    ways = [_match(word.text, written), _match(" ".join(word.spellings), stems)]
    if word.typos:
        ways.append(_match(word.text, written, boost=words.TYPO, fuzziness=word.typos))
    if word.may_go_on:
        ways.append(_match(word.text, written, boost=words.BEGINNING, type="bool_prefix"))
    return {"dis_max": {"queries": ways, "tie_breaker": words.TIE}}


def _match(text: str, fields: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"multi_match": {"query": text, "fields": list(fields), "tie_breaker": words.TIE, **more}}


def _range(name: str, bound: str, at: datetime) -> dict[str, Any]:
    return {"range": {name: {bound: at.isoformat()}}}
