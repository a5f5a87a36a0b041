"""Who is connected with whom: one asks, the other answers."""

from datetime import UTC, datetime, time, timedelta

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Invalid, NotFound, QuotaExceeded
from goalgraph.ids import is_id
from goalgraph.table import settled
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Page, seconds
from users import repository, services
from users.domain import ACCEPTED, CONNECTION_STATES, RECEIVED, REQUESTED
from users.items import Connection, RequestQuota
from users.sanction_services import require_voice

_STRIDE = 100


def connections(actor: Actor, state: str | None = ACCEPTED, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """With whom the actor is connected, by user id; or whom they asked, or who asked them; None: all of these. Raises Invalid."""
    if state is not None and state not in CONNECTION_STATES:
        raise Invalid(f"One of {', '.join(CONNECTION_STATES)}, please.", field="state")
    found: list[tuple[Connection, str]] = []
    while True:
        page = repository.connections_page(actor, limit=_STRIDE, after=after, forward=forward)
        pairs = zip(page.items, page.cursors, strict=True)
        found += [(connection, cursor) for connection, cursor in pairs if state in (None, connection.state)]
        if len(found) > limit or not page.has_more:
            break
        after = page.cursors[-1]
    shown = found[:limit]
    return Page([connection for connection, _ in shown], [cursor for _, cursor in shown], len(found) > limit)


def connected_ids(actor: Actor, most: int) -> list[str]:
    """Up to `most` of the members with whom the actor is connected."""
    return [connection.other_id for connection in connections(actor, limit=most).items]


def request_connection(actor: Actor, user_id: str) -> Connection:
    """Ask a member to connect; where they asked before, the two are connected. Repeating it changes nothing.

    Raises NotFound for a member the actor may not see, Forbidden for who is muted, Invalid, QuotaExceeded, Conflict.
    """
    _check(actor, user_id)
    require_voice(actor)

    def attempt() -> Connection:
        mine, theirs = repository.connection(actor, user_id)
        if mine is not None and mine.state != RECEIVED:
            return mine
        if mine is not None and theirs is not None:
            return _accepted(actor, mine, theirs)
        services.user(actor, user_id)
        return _ask(actor, user_id)

    return settled(attempt)


def respond_to_connection(actor: Actor, user_id: str, *, accept: bool) -> Connection | None:
    """Answer a member who asked to connect; a no leaves nothing behind. Repeating it changes nothing. Raises NotFound, Conflict."""
    _check(actor, user_id)

    def attempt() -> Connection | None:
        mine, theirs = repository.connection(actor, user_id)
        if mine is None or theirs is None or mine.state == REQUESTED:
            if accept or mine is not None:
                raise NotFound
            return None
        if accept:
            return mine if mine.state == ACCEPTED else _accepted(actor, mine, theirs)
        if mine.state == ACCEPTED:
            raise Invalid("You are connected already. You can end that.", field="accept")
        repository.end_connection(actor, mine, theirs)
        return None

    return settled(attempt)


def remove_connection(actor: Actor, user_id: str) -> None:
    """End what connects the two, or take back having asked. Repeating it changes nothing. Raises NotFound, Conflict."""
    _check(actor, user_id)

    def attempt() -> None:
        mine, theirs = repository.connection(actor, user_id)
        if mine is not None and theirs is not None:
            repository.end_connection(actor, mine, theirs)

    settled(attempt)


def _check(actor: Actor, user_id: str) -> None:
    if not is_id(user_id):
        raise NotFound
    if user_id == actor.user_id:
        raise Invalid("That is you.", field="userId")


def _ask(actor: Actor, user_id: str) -> Connection:
    mine = Connection(owner_id=actor.user_id, other_id=user_id, state=REQUESTED)
    theirs = Connection(owner_id=user_id, other_id=actor.user_id, state=RECEIVED)
    quota, most = _quota(actor), settings.CONNECTION_REQUESTS_PER_DAY
    try:
        repository.save_connection(actor, mine, theirs, repository.one_more_request(quota, most))
    except TransactionCanceled as error:
        last = len(error.reasons) - 1
        _refuse_blocked(error)
        if not error.failed(last):
            raise
        if error.current(last) is not None:
            raise QuotaExceeded(f"You asked {most} people today, and that is the most. Tomorrow you may ask more.") from error
        repository.save_connection(actor, mine, theirs, repository.first_request(quota))
    return mine


def _accepted(actor: Actor, mine: Connection, theirs: Connection) -> Connection:
    after, others = mine.copy(), theirs.copy()
    after.state = others.state = ACCEPTED
    try:
        repository.save_connection(actor, after, others)
    except TransactionCanceled as error:
        _refuse_blocked(error)
        raise
    return after


def _refuse_blocked(error: TransactionCanceled) -> None:
    """A block that came in between looks like nobody there."""
    if error.failed(2) or error.failed(3):
        raise NotFound from error


def _quota(actor: Actor) -> RequestQuota:
    day = datetime.combine(wiring.clock().now().date(), time(), UTC)
    return RequestQuota(owner_id=actor.user_id, day=day, count=1, ttl=seconds(day + timedelta(days=2)))
