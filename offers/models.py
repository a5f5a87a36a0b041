"""What staff author in SQL: companies, who of the staff works for which, offers and their history, and what members did with offers.

GraphQL reads none of it. An offer's row is its own outbox: each change raises `rev`, and `publishing_services` projects the row to the
table and raises `published_rev`. Rows are never deleted; archiving is a change like any other.
"""

from django.conf import settings
from django.db import models

from goalgraph.ids import new_id
from offers import states

FOR_WHOM = [("free", "everybody"), ("premium", "premium members only")]


class Company(models.Model):
    """Who advertises. `rev` is raised by each change, so that two people do not overwrite each other."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField("website", max_length=2048, blank=True)
    archived = models.BooleanField(default=False)
    rev = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ("add", "change", "view")
        ordering = ("name", "id")
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Somebody of the staff works for a company. One who left keeps the row, inactive. `rev` is raised by each change."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="offer_memberships")
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=16, choices=[(role, role) for role in states.ROLES])
    active = models.BooleanField(default=True)
    rev = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        default_permissions = ("add", "change", "view")
        ordering = ("company__name", "user__username")
        constraints = [models.UniqueConstraint(fields=["user", "company"], name="one_membership_in_a_company")]

    def __str__(self) -> str:
        return f"{self.user} at {self.company}"


class Offer(models.Model):
    """An offer as it is authored. `services` write it; nothing else does."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="offers")
    title = models.CharField(max_length=120)
    body = models.TextField("text", blank=True)
    url = models.CharField("address", max_length=2048, blank=True)
    image = models.ImageField(blank=True, max_length=200)
    tags = models.JSONField(default=list, blank=True)
    goal_kinds = models.JSONField("kinds of goal", default=list, blank=True)
    tier = models.CharField("for", max_length=16, choices=FOR_WHOM, default="free")
    early_access_days = models.PositiveSmallIntegerField(default=0)
    language = models.CharField(max_length=35, blank=True)
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    budget_cents = models.PositiveIntegerField(null=True, blank=True)
    cost_per_click_cents = models.PositiveIntegerField(default=0)
    daily_clicks = models.PositiveIntegerField(null=True, blank=True)
    total_views = models.PositiveIntegerField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=[(state, state) for state in states.STATES], default=states.DRAFT, db_index=True)
    pause_reason = models.CharField(max_length=300, blank=True)
    pace = models.FloatField(default=1.0)
    """0 to 1: how much of its reach the budget leaves it at the moment."""
    rev = models.PositiveIntegerField(default=1)
    authored_rev = models.PositiveIntegerField(default=1)
    """The revision of the last change that a person made. Pacing and a company's new name raise `rev` alone, and disturb no editor."""
    published_rev = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("add", "change", "view")
        permissions = [("review_offer", "Can approve and reject offers")]
        ordering = ("-created_at", "id")
        indexes = [
            models.Index(fields=["state", "valid_from"], name="offers_to_start"),
            models.Index(fields=["state", "valid_to"], name="offers_to_expire"),
            models.Index(fields=["id"], name="offers_to_publish", condition=models.Q(published_rev__lt=models.F("rev"))),
        ]

    def __str__(self) -> str:
        return self.title


class Decision(models.Model):
    """One change of an offer: who, what, why, and the offer as it then was. Only ever added to. No `staff`: the clock or the budget did."""

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="decisions")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    action = models.CharField(max_length=16)
    before = models.CharField(max_length=16, blank=True)
    after = models.CharField(max_length=16)
    reason = models.CharField(max_length=1000, blank=True)
    rev = models.PositiveIntegerField()
    snapshot = models.JSONField()

    class Meta:
        default_permissions = ()
        ordering = ("-rev",)
        constraints = [models.UniqueConstraint(fields=["offer", "rev"], name="one_decision_a_revision")]

    def __str__(self) -> str:
        return f"{self.action} {self.offer_id} rev {self.rev}"


class Touch(models.Model):
    """A view or a click, as the event `id` told it. Of the member there is a digest that differs from day to day."""

    id = models.CharField(primary_key=True, max_length=128)
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    kind = models.CharField(max_length=8)
    member = models.CharField(max_length=64)
    counted = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["id"], name="offers_touches_to_count", condition=models.Q(counted=False))]


class Reach(models.Model):
    """A member, as a digest, saw the offer on that day: what makes `Day.reach` count each once."""

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    member = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["offer", "day", "member"], name="one_reach_a_day_and_member")]


class Day(models.Model):
    """The sums of one offer's day (UTC)."""

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="days")
    day = models.DateField()
    views = models.PositiveIntegerField(default=0)
    clicks = models.PositiveIntegerField(default=0)
    reach = models.PositiveIntegerField(default=0)
    spent_cents = models.PositiveBigIntegerField(default=0)
    """What its clicks cost, each at the price of when it was summed."""

    class Meta:
        default_permissions = ()
        ordering = ("day",)
        constraints = [models.UniqueConstraint(fields=["offer", "day"], name="one_sum_a_day")]
