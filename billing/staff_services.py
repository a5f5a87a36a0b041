"""What support and operations may do with an account. Each checks the permission itself, whatever page it is called from."""

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from billing import account_services, domain, plans
from billing.models import Account
from goalgraph import wiring
from goalgraph.errors import Forbidden, NotFound
from goalgraph.ports.payments import Price

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Staff = User | AnonymousUser

logger = logging.getLogger(__name__)

_NOTHING_BOUGHT = "Nothing was bought here, so there is nothing to cancel or to give back."


def refund_and_cancel(staff: "Staff", account_id: UUID) -> int:
    """End what an account pays for now, and give back its latest payment, also of a plan that ended already.

    How much of it is given back by now, in the currency's smallest unit; 0 where nothing was ever paid. Repeating it gives nothing back a
    second time, and says the same. Raises Forbidden, NotFound, PaymentsUnavailable, PaymentsRefused; then some of it may have been done.
    """
    account = _found(staff, account_id, "billing.refund_account")
    payments = wiring.payments()
    agreements = sorted(payments.agreements(str(account.customer_id)), key=lambda agreement: agreement.created)
    if not agreements:
        raise NotFound(_NOTHING_BOUGHT)
    wanted = [agreement for agreement in agreements if agreement.status in domain.LIVE] or agreements[-1:]
    try:
        return sum(payments.refund_and_cancel(agreement.id, key=f"refund:{account.pk}") for agreement in wanted)
    finally:
        logger.info("refund and cancellation", extra={"data": {"account": str(account.pk), "subscriptions": len(wanted)}})
        account_services.revise(account.pk)


def look_up_again(staff: "Staff", account_id: UUID) -> None:
    """Have an account looked up at Stripe. Raises Forbidden, NotFound."""
    account_services.revise(_found(staff, account_id, "billing.repair_account").pk)


def create_plans() -> list[str]:
    """Make at Stripe what is not there yet of our plans, and say in words what was made. Raises as `Payments` does."""
    made: list[str] = []
    for plan in plans.PLANS:
        prices = [Price(plan.lookup_key(each.interval), each.interval, each.amount, each.currency) for each in plan.prices]
        if prices:
            made += wiring.payments().ensure_plan(plan.id, name=f"GoalGraph {plan.name}", description=plan.description, prices=prices)
    return made


def _found(staff: "Staff", account_id: UUID, permission: str) -> Account:
    if not staff.has_perm(permission):
        raise Forbidden
    account = Account.objects.filter(pk=account_id, customer_id__isnull=False).first()
    if account is None:
        raise NotFound(_NOTHING_BOUGHT)
    return account
