"""What staff do with offers: write, submit, review, pause, archive. Each change is a revision with a decision beside it.

Every use case takes the Django user who acts, sees only what that user may, and takes the `rev` that was on the screen: a change that
somebody else made since then is never overwritten, and nobody approves what they have not read.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from goalgraph import inputs, wiring
from goalgraph.errors import Conflict, Invalid
from goalgraph.ids import new_id
from goalgraph.ports.link_checker import LinkRefused, LinkUnavailable
from offers import access, drafts, images, states, usage
from offers.models import Company, Decision, Offer
from offers.outbox import enqueue_publish

visible_companies, visible_offers = access.visible_companies, access.visible_offers

ACTIONS = ("submit", "approve", "reject", "pause", "resume", "archive")
"""What people do with an offer, beside writing it."""
MAX_REASON = 1000
CHANGED = "Somebody changed this offer since you opened it. Copy what you wrote, open it again and look at the change first."


def create_offer(staff: User, company_id: str, **fields: Any) -> Offer:
    """A draft in a company of `staff`'s. `fields` are those of `states.AUTHORED`; `image` is an open file.

    Raises NotFound, Forbidden, Conflict for an archived company, Invalid.
    """
    company = access.company_of(staff, company_id)
    states.edited(states.DRAFT, access.roles_in(staff, company_id), states.AUTHORED)
    _check_open(company)
    stored = _stored({"title": "", **fields})
    drafts.check_validity(stored.get("valid_from"), stored.get("valid_to"))
    now = wiring.clock().now()
    offer = Offer(company=company, created_at=now, **stored)
    with transaction.atomic():
        offer.save(force_insert=True)
        _decide(offer, staff, "create", before="", reason="")
    return offer


def edit_offer(staff: User, offer_id: str, *, rev: int | None = None, **fields: Any) -> Offer:
    """Change fields; `image` None takes the picture away. What members see has to be approved again, and is not shown until then.

    Raises NotFound, Forbidden, Conflict, Invalid.
    """
    offer = _seen(staff, offer_id, rev)
    roles = access.roles_in(staff, offer.company_id)
    states.edited(offer.state, roles, ())  # before a picture is stored
    _check_open(offer.company)
    stored = _stored(fields)
    drafts.check_validity(stored.get("valid_from", offer.valid_from), stored.get("valid_to", offer.valid_to))
    changed = {name: value for name, value in stored.items() if value != getattr(offer, name)}
    if not changed:
        return offer
    return _revise(offer, staff, "edit", after=states.edited(offer.state, roles, changed), changed=changed)


def submit(staff: User, offer_id: str, *, rev: int | None = None) -> Offer:
    """Ask for approval. Raises NotFound, Forbidden, Conflict, and Invalid with what is missing, or wrong with the address."""
    return act(staff, offer_id, "submit", rev=rev)


def approve(staff: User, offer_id: str, *, rev: int | None = None) -> Offer:
    """Let members see it, from `valid_from` on. Raises NotFound, Forbidden, Conflict, Invalid as `submit` does."""
    return act(staff, offer_id, "approve", rev=rev)


def reject(staff: User, offer_id: str, reason: str, *, rev: int | None = None) -> Offer:
    """Back to its company, with a reason; one that is live is taken back. Raises NotFound, Forbidden, Conflict, Invalid."""
    return act(staff, offer_id, "reject", rev=rev, reason=reason)


def pause(staff: User, offer_id: str, reason: str = "", *, rev: int | None = None) -> Offer:
    return act(staff, offer_id, "pause", rev=rev, reason=reason)


def resume(staff: User, offer_id: str, *, rev: int | None = None) -> Offer:
    return act(staff, offer_id, "resume", rev=rev)


def archive(staff: User, offer_id: str, *, rev: int | None = None) -> Offer:
    """For good. Raises NotFound, Forbidden, Conflict."""
    return act(staff, offer_id, "archive", rev=rev)


def act(staff: User, offer_id: str, action: str, *, rev: int | None, reason: str = "") -> Offer:
    """Take one of `ACTIONS`; each has a function of its own above."""
    offer = _seen(staff, offer_id, rev)
    roles = access.roles_in(staff, offer.company_id)
    reason = _checked_reason(reason)
    now = wiring.clock().now()
    after = states.moved(action, offer.state, roles, valid_from=offer.valid_from, now=now, reason=reason)
    if action != "archive":
        _check_open(offer.company)
    if action in ("submit", "approve"):
        _check_complete(offer)
    if action == "resume" and usage.is_used_up(offer):
        raise Invalid("Its budget or its views are used up. Raise them, then resume it.")
    return _revise(offer, staff, action, after=after, reason=reason)


def possible(staff: User, offer: Offer) -> list[str]:
    """The names in `ACTIONS` of what `staff` may do with `offer` now."""
    names = states.possible(offer.state, access.roles_in(staff, offer.company_id))
    return [name for name in names if name in ACTIONS and (name == "archive" or not offer.company.archived)]


def gaps(offer: Offer) -> list[str]:
    """What it lacks before it can be submitted, in sentences."""
    return drafts.missing(offer, wiring.clock().now())


# What the platform does by itself -----------------------------------------------------------------------------------------------------


def pause_by_platform(offer_id: str, reason: str, *, rev: int | None = None) -> bool:
    """Stop an offer whose budget or cap is used up; its company may raise it and resume.

    False where it is not running (any more), or was changed since `rev`.
    """
    return _act_by_platform(offer_id, "pause", reason, rev=rev)


def start(offer_id: str) -> bool:
    return _act_by_platform(offer_id, "start")


def expire(offer_id: str) -> bool:
    return _act_by_platform(offer_id, "expire")


def _act_by_platform(offer_id: str, action: str, reason: str = "", *, rev: int | None = None) -> bool:
    offer = Offer.objects.select_related("company").filter(pk=offer_id).first()
    if offer is None or rev not in (None, offer.rev):
        return False
    try:
        after = states.moved(action, offer.state, {states.PLATFORM}, valid_from=offer.valid_from, now=wiring.clock().now(), reason=reason)
        _revise(offer, None, action, after=after, reason=reason)
    except Conflict:  # somebody was faster; where it is still due, the next sweep finds it
        return False
    return True


# How ------------------------------------------------------------------------------------------------------------------------------------


def _checked_reason(reason: str) -> str:
    return inputs.text(reason, field="reason", longest=MAX_REASON, lines=True, empty=True)


def _seen(staff: User, offer_id: str, rev: int | None) -> Offer:
    """The offer, where nobody changed it after revision `rev`. Raises NotFound, Conflict."""
    offer = access.offer_of(staff, offer_id)
    if rev is not None and rev < offer.authored_rev:
        raise Conflict(CHANGED)
    return offer


def _check_open(company: Company) -> None:
    if company.archived:
        raise Conflict("This company is archived, so its offers stay as they are.")


def _check_complete(offer: Offer) -> None:
    """Raises Invalid, with every gap in its message, or with what the link checker says."""
    if found := gaps(offer):
        raise Invalid(" ".join(found))
    try:
        wiring.link_checker().check(offer.url)
    except (LinkRefused, LinkUnavailable) as error:
        raise Invalid(str(error), field="url") from error


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as the row holds them; a picture is redrawn and uploaded under a name of its own. Raises Invalid."""
    rest = {name: value for name, value in fields.items() if name != "image"}
    stored = drafts.checked(rest)
    if "image" in fields:
        stored["image"] = _upload(fields["image"]) if fields["image"] else ""
    return stored


def _upload(file: BinaryIO) -> str:
    """The name of the stored picture. One whose row is not written after all stays behind, under a name that nobody knows."""
    content = ContentFile(images.redrawn(file, file.seek(0, 2)))
    try:
        return default_storage.save(f"offers/{new_id()}.webp", content)
    except OSError as error:
        raise Invalid("The picture could not be stored at the moment. Try again.", field="image") from error


def _revise(
    offer: Offer, staff: User | None, action: str, *, after: str, reason: str = "", changed: Mapping[str, Any] | None = None
) -> Offer:
    """Write the next revision and its decision, where the row is still at the one that was read. Raises Conflict."""
    before, rev = offer.state, offer.rev + 1
    values = {**(changed or {}), "state": after, "rev": rev, "authored_rev": rev}
    if after != before:
        values["pause_reason"] = reason[:300] if after == states.PAUSED else ""
    if after == states.LIVE and offer.valid_from is None:
        values["valid_from"] = wiring.clock().now()
    if after == states.SUBMITTED and before != states.SUBMITTED:
        values["submitted_at"] = wiring.clock().now()
    with transaction.atomic():
        if not Offer.objects.filter(pk=offer.pk, rev=offer.rev).update(**values):
            raise Conflict(CHANGED)
        offer = Offer.objects.select_related("company").get(pk=offer.pk)
        _decide(offer, staff, action, before=before, reason=reason)
    return offer


def _decide(offer: Offer, staff: User | None, action: str, *, before: str, reason: str) -> None:
    Decision.objects.create(
        offer=offer,
        staff=staff,
        at=wiring.clock().now(),
        action=action,
        before=before,
        after=offer.state,
        reason=reason,
        rev=offer.rev,
        snapshot=_snapshot(offer),
    )
    transaction.on_commit(partial(enqueue_publish, offer.pk))


def _snapshot(offer: Offer) -> dict[str, Any]:
    values = {name: getattr(offer, name) for name in states.AUTHORED}
    values["image"] = offer.image.name or ""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}
