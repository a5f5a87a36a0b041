"""GraphQL documents, parsed and validated once. Parsing and validating take more than half of a small request's time."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged

from goalgraph import metrics
from goalgraph.errors import Invalid
from goalgraph.graphql.limits import Limits, Operation, scan, weigh

MAX_ERRORS = 10
_MAX_CACHED = 8192
"""Characters. Larger documents are rare, and a thousand of them would take much memory."""

# graphql-core reads this for each validation; its own default lets 900 repeated fields take half a second.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000


class Refused(Exception):
    """graphql-core's objections to a document or to its variables."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        self.errors = errors
        super().__init__(f"{len(errors)} errors")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may run."""

    document: DocumentNode
    operations: dict[str | None, Operation]

    def operation(self, name: str | None) -> Operation:
        """The operation to run (GraphQL, section 6.1, GetOperation). Raises Invalid."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name not in self.operations:
            raise Invalid("`operationName` names no operation of the document.", field="operationName")
        return self.operations[name]


class Documents:
    """A bounded cache, least recently used first out, by the SHA-256 of the text. Only valid documents enter. Safe across threads."""

    def __init__(self, schema: GraphQLSchema, bounds: Limits, *, size: int, suggest: bool) -> None:
        self._schema, self._bounds, self._size, self._suggest = schema, bounds, size, suggest
        self._lock = threading.Lock()
        self._cache: OrderedDict[bytes, Prepared] = OrderedDict()

    def find(self, query: str) -> Prepared | None:
        key = _key(query)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
            found = self._cache.get(key)
        metrics.document(cached=found is not None)
        return found

    def prepare(self, query: str) -> Prepared:
        """Parse, weigh and validate `query`, the cheapest check first. Raises TooComplex, Invalid or Refused."""
        scan(query, self._bounds)
        try:
            document = parse(query, max_lexical_tokens=self._bounds.tokens, max_source_length=self._bounds.characters)
        except GraphQLError as error:
            raise Refused([error]) from None
        operations = weigh(self._schema, document, self._bounds)
        if errors := self._objections(document):
            raise Refused(errors)
        if not operations:
            raise Invalid("The document has no operation.", field="query")
        prepared = Prepared(document, operations)
        if len(query) <= _MAX_CACHED:
            self._remember(_key(query), prepared)
        return prepared

    def _objections(self, document: DocumentNode) -> list[GraphQLError]:
        try:
            return validate(self._schema, document, max_errors=MAX_ERRORS, hide_suggestions=not self._suggest)
        except GraphQLError as error:  # its rule on subscriptions raises where a root field has @skip or @include with a variable
            return [error]

    def _remember(self, key: bytes, prepared: Prepared) -> None:
        with self._lock:
            self._cache[key] = prepared
            if len(self._cache) > self._size:
                self._cache.popitem(last=False)


def _key(query: str) -> bytes:
    return hashlib.sha256(query.encode()).digest()
