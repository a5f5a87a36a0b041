"""How a message's text is taken away and given back: what changes with it, to be stored in one transaction, and what the room is told."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chat import live, repository
from chat.domain import REDACTED
from chat.items import Message, MessageEdit
from chat.message_services import kept_edit
from chat.moderation_domain import DISMISS, HIDDEN, HIDE
from chat.moderation_items import CaseDecision, ModerationCase
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.table.items import CoreItem

RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Change:
    """A message as it is to be, and all that is stored with it."""

    message: Message
    items: Sequence[CoreItem]


def taken_away(case: ModerationCase, message: Message, kept_text: str) -> Change:
    """The message without its text, which is kept as `kept_text`. The case keeps the reactions."""
    after = message.copy()
    after.text, after.state, after.reactions = "", REDACTED, {}
    case.reactions = dict(message.reactions or {})
    kept = kept_edit(message)
    kept.text = kept_text
    return Change(after, [after, kept])


def taken_away_at_once(case: ModerationCase, message: Message, kept_text: str, action: str, decision_id: str) -> Change:
    """The same, with the decision behind it: the platform's own, or one of staff past the back office. `action` is hide or redact."""
    change = taken_away(case, message, kept_text)
    case.outcome = HIDDEN if action == HIDE else REDACTED
    case.against_id = decision_id
    decision = decision_of(case, decision_id, action, effect=REDACTED)
    return Change(change.message, [*change.items, decision])


def given_back(actor: Actor, case: ModerationCase, message: Message) -> Change | None:
    """The message with the text, state and reactions that it had; None where nothing was taken away.

    Nothing changes a message while its text is away, so the last thing that is kept of it is what it said before.
    """
    kept: list[MessageEdit] = repository.edits(actor, message.room_id, int(message.seq))
    if message.state != REDACTED or not kept:
        return None
    after = message.copy()
    after.text, after.state, after.reactions = kept[-1].text, kept[-1].state, dict(case.reactions or {})
    return Change(after, [after])


def given_back_at_once(case: ModerationCase, back: Change, decision_id: str) -> Change:
    """What reports hid, and the platform itself gives `back`, with the decision behind it. There is nothing to appeal any more."""
    case.outcome, case.against_id = None, None
    return Change(back.message, [*back.items, decision_of(case, decision_id, DISMISS, effect=RESTORED)])


def decision_of(case: ModerationCase, decision_id: str, action: str, *, effect: str | None = None) -> CaseDecision:
    """To be completed, and stored with the case."""
    place = {"room_id": case.room_id, "seq": case.seq, "sender_id": case.sender_id, "owner_id": case.sender_id}
    return CaseDecision(**place, decision_id=decision_id, action=action, effect=effect, ttl=case.ttl)


def effect_on(message: Message) -> str:
    """What became of a message that was taken away or given back."""
    return REDACTED if message.state == REDACTED else RESTORED


def tell(actor: Actor, message: Message) -> None:
    """Tell the room of that, as the platform: who moderates is not for its members to know."""
    live.changed(replace(SYSTEM, tenant_id=actor.tenant_id), message, effect_on(message))


def digest(text: str) -> str:
    """Tells one text from another, without holding it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
