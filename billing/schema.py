"""Plans in GraphQL."""

from datetime import datetime
from typing import Any

import graphene

from billing import checkout_services, items, plans, services
from billing.plans import MONTH, PLANS
from billing.plans import Plan as BoughtPlan
from goalgraph.graphql.scalars import DateTime
from goalgraph.ports.payments import CheckoutSession as Session


class PlanPrice(graphene.ObjectType):
    """What a plan costs for an interval."""

    interval = graphene.String(required=True, description="month or year.")
    amount = graphene.Int(required=True, description="In the currency's smallest unit, such as cents.")
    currency = graphene.String(required=True, description="The currency by its ISO 4217 code, in lower case.")


class Plan(graphene.ObjectType):
    """What can be had."""

    id = graphene.ID(required=True, description="free, premium or company.")
    name = graphene.String(required=True, description="What it is called.")
    description = graphene.String(required=True, description="What it is, in a sentence.")
    tier = graphene.String(required=True, description="The tier that it grants: free or premium.")
    prices = graphene.List(graphene.NonNull(PlanPrice), required=True, description="What it costs; none: nothing.")
    trial_days = graphene.Int(required=True, description="Days for which it costs nothing, once.")
    tenant_wide = graphene.Boolean(required=True, description="Whether it holds for all members of a company's tenant.")
    features = graphene.List(graphene.NonNull(graphene.String), required=True, description="What it opens beyond the free plan.")
    rooms_per_day = graphene.Int(description="Rooms that may be opened on a day; null: no limit.")
    active_goals = graphene.Int(description="Goals that may be active at once; null: no limit.")

    @staticmethod
    def resolve_features(plan: BoughtPlan, _: graphene.ResolveInfo) -> list[str]:
        return sorted(plans.features(plan.tier))

    @staticmethod
    def resolve_rooms_per_day(plan: BoughtPlan, _: graphene.ResolveInfo) -> int | None:
        return plans.limit(plan.tier, plans.ROOMS_PER_DAY)

    @staticmethod
    def resolve_active_goals(plan: BoughtPlan, _: graphene.ResolveInfo) -> int | None:
        return plans.limit(plan.tier, plans.ACTIVE_GOALS)


class PlanSubscription(graphene.ObjectType):
    """What a member has of a plan, as it stands now."""

    plan_id = graphene.ID(required=True, description="Which plan.")
    tier = graphene.String(required=True, description="What it grants now.")
    state = graphene.String(
        required=True, description="trial, active, grace (a payment failed; it still holds), paused (payments are), or ended."
    )
    interval = graphene.String(description="month or year.")
    period_ends = DateTime(description="When its period ends, and the next one begins unless it is canceled.")
    grace_ends = DateTime(description="Where a payment failed: until when it still holds.")
    cancels = graphene.Boolean(required=True, description="Whether it ends with its period.")
    tenant_wide = graphene.Boolean(required=True, description="Whether the member's company pays for it.")

    @staticmethod
    def resolve_grace_ends(subscription: items.Subscription, _: graphene.ResolveInfo) -> datetime | None:
        return services.grace_of(subscription)


class Entitlements(graphene.ObjectType):
    """What a member may do at the moment."""

    tier = graphene.String(required=True, description="free or premium.")
    features = graphene.List(graphene.NonNull(graphene.String), required=True, description="What is open beyond the free plan.")
    rooms_per_day = graphene.Int(description="Rooms that may be opened on a day; null: no limit.")
    active_goals = graphene.Int(description="Goals that may be active at once; null: no limit.")


class CheckoutSession(graphene.ObjectType):
    """A page of Stripe's where a plan is paid for."""

    id = graphene.ID(required=True, description="Its id at Stripe.")
    url = graphene.String(required=True, description="Where to send the member; it is open for a day.")


class PortalSession(graphene.ObjectType):
    """A page of Stripe's where a member changes or cancels what they pay for."""

    url = graphene.String(required=True, description="Where to send the member; it is open for some minutes.")


class Query:
    plans = graphene.List(graphene.NonNull(Plan), required=True, description="All plans, the free one first.")
    subscription = graphene.Field(PlanSubscription, description="What one has of a plan, or had; null: never any.")
    entitlements = graphene.Field(graphene.NonNull(Entitlements), description="What one may do at the moment.")

    @staticmethod
    def resolve_plans(_: Any, __: graphene.ResolveInfo) -> tuple[BoughtPlan, ...]:
        return PLANS

    @staticmethod
    def resolve_subscription(_: Any, info: graphene.ResolveInfo) -> items.Subscription | None:
        return services.subscription(info.context.actor)

    @staticmethod
    def resolve_entitlements(_: Any, info: graphene.ResolveInfo) -> services.Entitlements:
        return services.entitlements(info.context.actor)


_PAGE = "An address of this application; its front page without one."


class Mutation:
    create_checkout_session = graphene.Field(
        graphene.NonNull(CheckoutSession),
        plan_id=graphene.ID(required=True, description="Which plan: premium, or company for who manages a company's billing."),
        interval=graphene.String(description="month (as it is without this) or year.", default_value=MONTH),
        success_url=graphene.String(description=f"Where to go on once it is paid. {_PAGE}"),
        cancel_url=graphene.String(description=f"Where to go on if it is not. {_PAGE}"),
        description="Begin to buy a plan. Whoever has one already gets CONFLICT, and changes it in the portal.",
    )
    create_portal_session = graphene.Field(
        graphene.NonNull(PortalSession),
        plan_id=graphene.ID(description="Whose payments: premium (one's own, as it is without this) or company.", default_value="premium"),
        return_url=graphene.String(description=f"Where the page leads back to. {_PAGE}"),
        description="Change or cancel what one pays for.",
    )

    @staticmethod
    def resolve_create_checkout_session(
        _: Any, info: graphene.ResolveInfo, plan_id: str, interval: str, success_url: str | None = None, cancel_url: str | None = None
    ) -> Session:
        return checkout_services.create_checkout_session(
            info.context.actor, plan_id, interval, success_url=success_url, cancel_url=cancel_url
        )

    @staticmethod
    def resolve_create_portal_session(_: Any, info: graphene.ResolveInfo, plan_id: str, return_url: str | None = None) -> PortalSession:
        return PortalSession(url=checkout_services.create_portal_session(info.context.actor, plan_id, return_url=return_url))


LIST_SIZES = {"Query.plans": len(PLANS), "Plan.prices": 2}
"""About how long the lists without pages are, for the cost of a request."""
