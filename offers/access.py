"""Who of the staff sees and moves which companies and offers. Every page, action, look-up and export asks here.

A person sees what their companies own. The platform's staff see all: those who review offers, and those who look after companies.
What one may not see is the same `NotFound` as what does not exist.
"""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Q, QuerySet

from goalgraph.errors import NotFound
from offers.models import Company, Membership, Offer
from offers.states import OWNER, REVIEWER

REVIEW, MANAGE = "offers.review_offer", "offers.change_company"

AnyUser = User | AbstractBaseUser | AnonymousUser


def is_staff(user: AnyUser) -> bool:
    return bool(user.is_active and getattr(user, "is_staff", False))


def visible_companies(staff: AnyUser) -> QuerySet[Company]:
    return Company.objects.filter(_own_or_all(staff, ""))


def visible_offers(staff: AnyUser) -> QuerySet[Offer]:
    return Offer.objects.filter(_own_or_all(staff, "company__")).select_related("company")


def visible_memberships(staff: AnyUser) -> QuerySet[Membership]:
    return Membership.objects.filter(_own_or_all(staff, "company__")).select_related("company", "user")


def offer_of(staff: AnyUser, offer_id: str) -> Offer:
    """Raises NotFound."""
    found = visible_offers(staff).filter(pk=offer_id).first()
    if found is None:
        raise NotFound
    return found


def company_of(staff: AnyUser, company_id: str) -> Company:
    """Raises NotFound."""
    found = visible_companies(staff).filter(pk=company_id).first()
    if found is None:
        raise NotFound
    return found


def roles_in(staff: AnyUser, company_id: str) -> frozenset[str]:
    """What somebody is to a company's offers. Nobody reviews the offers of a company that they work for."""
    if not is_staff(staff):
        return frozenset()
    held = set(_memberships(staff).filter(company_id=company_id).values_list("role", flat=True))
    if not held and _has(staff, REVIEW):
        held.add(REVIEWER)
    if _is_superuser(staff):
        held.add(OWNER)
    return frozenset(held)


def works_for(staff: AnyUser, roles: frozenset[str]) -> QuerySet[Company]:
    """The companies, archived ones left out, in which somebody has one of `roles`."""
    own = Q(pk__in=_companies_of(staff, roles))
    return visible_companies(staff).filter(Q() if _is_superuser(staff) and OWNER in roles else own, archived=False)


def may_manage_companies(staff: AnyUser) -> bool:
    return is_staff(staff) and _has(staff, MANAGE)


def _own_or_all(staff: AnyUser, path: str) -> Q:
    """The condition on rows whose company stands at `path`."""
    if not is_staff(staff):
        return Q(pk__in=[])
    if _has(staff, REVIEW) or _has(staff, MANAGE):
        return Q()
    return Q(**{f"{path}pk__in": _companies_of(staff)})


def _companies_of(staff: AnyUser, roles: frozenset[str] | None = None) -> QuerySet[Membership, str]:
    """As a sub-query, so that no join doubles a row."""
    held = _memberships(staff)
    return (held if roles is None else held.filter(role__in=roles)).values_list("company_id", flat=True)


def _memberships(staff: AnyUser) -> QuerySet[Membership]:
    return Membership.objects.filter(user_id=staff.pk or 0, active=True)


def _has(staff: AnyUser, permission: str) -> bool:
    return bool(getattr(staff, "has_perm", lambda _: False)(permission))


def _is_superuser(staff: AnyUser) -> bool:
    return bool(is_staff(staff) and getattr(staff, "is_superuser", False))
