"""What support and operations may do with an account. Each checks the permission itself, whatever page it is called from."""

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


def refund_and_cancel(staff: "Staff", account_id: UUID) -> int:
    """End what an account pays for now, and give back its latest payment; how much, in the currency's smallest unit.

    Repeating it gives nothing back a second time. Raises Forbidden, NotFound, PaymentsUnavailable, PaymentsRefused.
    """
    account = _found(staff, account_id, "billing.refund_account")
    payments = wiring.payments()
    live = [agreement for agreement in payments.agreements(str(account.customer_id)) if agreement.status in domain.LIVE]
    amount = sum(payments.refund_and_cancel(agreement.id, key=f"refund:{account.pk}") for agreement in live)
    account_services.revise(account.pk)
    return amount


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
        raise NotFound
    return account
