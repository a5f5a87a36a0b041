"""What staff do with companies, and with who works for them."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from goalgraph import inputs, wiring
from goalgraph.errors import Conflict, Forbidden, Invalid
from offers import access, states
from offers.models import Company, Membership
from offers.outbox import republish_all

MAX_NAME = 80
CHANGED = "Somebody changed this company since you opened it. Open it again and look at the change first."
MEMBERSHIP_CHANGED = "Somebody changed this role since you opened it. Open it again and look at the change first."


def create_company(staff: User, *, name: str, url: str = "") -> Company:
    """Raises Forbidden for who may not add companies, Invalid."""
    if not (access.is_staff(staff) and staff.has_perm("offers.add_company")):
        raise Forbidden("Only the platform's staff add companies.")
    return Company.objects.create(**_checked(name=name, url=url), created_at=wiring.clock().now())


def edit_company(staff: User, company_id: str, *, rev: int | None = None, **fields: Any) -> Company:
    """Change `name`, `url`, `archived`. Its offers show the new name, and are taken back while it is archived.

    Only the platform's staff may: members see the name beside every offer, and nobody approves it again. Raises NotFound, Forbidden,
    Conflict, Invalid.
    """
    company = access.company_of(staff, company_id)
    if not access.may_manage_companies(staff):
        raise Forbidden("Only the platform's staff change a company. Ask them for it.")
    if rev is not None and rev != company.rev:
        raise Conflict(CHANGED)
    changed = {name: value for name, value in _checked(**fields).items() if value != getattr(company, name)}
    if not changed:
        return company
    with transaction.atomic():
        if not Company.objects.filter(pk=company.pk, rev=company.rev).update(**changed, rev=company.rev + 1):
            raise Conflict(CHANGED)
        company = Company.objects.get(pk=company.pk)
        if changed.keys() & {"name", "archived"}:
            republish_all(company)
    return company


def set_membership(staff: User, company_id: str, user: User, *, role: str, active: bool = True, rev: int | None = None) -> Membership:
    """Give somebody of the staff a role in a company, or end it (`active` false). Repeating it changes nothing.

    The platform's staff bring people in, and back in. An owner changes the roles of those who are there, their own excepted. A company
    that has an owner always keeps one. Raises NotFound, Forbidden, Conflict, Invalid.
    """
    company = access.company_of(staff, company_id)
    role = inputs.one_of(role, states.ROLES, field="role")
    with transaction.atomic():
        Company.objects.select_for_update().get(pk=company.pk)  # one change at a time: two owners may be taking each other's role away
        known = Membership.objects.filter(company=company, user=user).first()
        _check_may_set(staff, user, company, known, active=active)
        if known is None:
            return Membership.objects.create(company=company, user=user, role=role, active=active)
        if rev is not None and rev != known.rev:
            raise Conflict(MEMBERSHIP_CHANGED)
        if (known.role, known.active) == (role, active):
            return known
        _check_owner_stays(known, role=role, active=active)
        known.role, known.active, known.rev = role, active, known.rev + 1
        known.save(update_fields=["role", "active", "rev"])
    return known


def _check_may_set(staff: User, user: User, company: Company, known: Membership | None, *, active: bool) -> None:
    """Raises Forbidden, and Invalid where `user` can work for no company."""
    if not (access.is_staff(staff) and staff.has_perm("offers.change_membership")):
        if states.OWNER not in access.roles_in(staff, company.pk):
            raise Forbidden("Only owners change who works for a company.")
        if known is None or (active and not known.active):
            raise Forbidden("The platform's staff bring people in, and back in. Ask them for it.")
        if user.pk == staff.pk:
            raise Forbidden("You cannot change your own role. Another owner can.")
    if not user.is_staff:
        raise Invalid("Only staff can work for a company. Give this account staff status first.", field="user")


def _check_owner_stays(known: Membership, *, role: str, active: bool) -> None:
    if not (known.active and known.role == states.OWNER) or (active and role == states.OWNER):
        return
    others = Membership.objects.filter(company_id=known.company_id, role=states.OWNER, active=True, user__is_active=True)
    if not others.exclude(pk=known.pk).exists():
        raise Invalid("A company always keeps an owner. Make somebody else one first.", field="role")


def _checked(**fields: Any) -> dict[str, Any]:
    if "name" in fields:
        fields["name"] = inputs.text(fields["name"] or "", field="name", longest=MAX_NAME)
    if fields.get("url"):
        fields["url"] = inputs.https_url(fields["url"].strip(), field="url")
    return fields
