"""Relay's connections over pages of the table (relay.dev/graphql/connections.htm)."""

from collections.abc import Callable
from typing import Any, Protocol

import graphene
from graphene.relay import Connection, PageInfo

from goalgraph.errors import Invalid
from goalgraph.table.cursors import InvalidCursor
from goalgraph.table.table import Page

DEFAULT_PAGE = 20
MAX_PAGE = 100

PAGE_ARGUMENTS: dict[str, Any] = {
    "first": graphene.Int(description=f"How many from the start, at most {MAX_PAGE}; {DEFAULT_PAGE} by default."),
    "after": graphene.String(description="The cursor behind which to start; goes with `first`."),
    "last": graphene.Int(description=f"How many from the end, at most {MAX_PAGE}."),
    "before": graphene.String(description="The cursor before which to end; goes with `last`."),
}


class Fetch(Protocol):
    def __call__(self, *, limit: int, after: str | None, forward: bool) -> Page: ...


def connection(of: type[graphene.ObjectType], plural: str) -> type[Connection]:
    """The connection type of a list of `of`."""

    class Meta:
        node = of
        strict_types = True
        description = f"A page of {plural}."

    return type(f"{of._meta.name}Connection", (Connection,), {"Meta": Meta})


def resolve(
    to: type[Connection],
    fetch: Fetch,
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    node: Callable[[Any], Any] = lambda item: item,
) -> Connection:
    """Fetch the page that the arguments ask for. Raises Invalid for sizes out of range, mixed directions and cursors not of this list."""
    backward = last is not None or before is not None
    if backward and (first is not None or after is not None):
        raise Invalid("`first` and `after` go together, or `last` and `before`; not mixed.", field="first")
    size, cursor, names = (last, before, ("last", "before")) if backward else (first, after, ("first", "after"))
    limit = DEFAULT_PAGE if size is None else size
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"A page has 1 to {MAX_PAGE} entries.", field=names[0])
    try:
        page = fetch(limit=limit, after=cursor, forward=not backward)
    except InvalidCursor as error:
        raise Invalid("This cursor is not of this list.", field=names[1]) from error
    edges = [to.Edge(node=node(item), cursor=cursor) for item, cursor in zip(page.items, page.cursors, strict=True)]
    if backward:
        edges.reverse()
    info = PageInfo(
        has_next_page=cursor is not None if backward else page.has_more,
        has_previous_page=page.has_more if backward else cursor is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return to(edges=edges, page_info=info)
