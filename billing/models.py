"""Who buys. The ledger of what was paid is dj-stripe's; a row here says which customer of Stripe's is whose, and is its own outbox."""

import uuid
from datetime import datetime

from django.db import models

from goalgraph import wiring


def now() -> datetime:
    return wiring.clock().now()


class Account(models.Model):
    """A member's account, or a tenant's (then `user_id` is empty). Never deleted.

    Whenever something happened at Stripe, `rev` grows. `published_rev` is the revision whose outcome the table has.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user_id = models.CharField("member", max_length=128, blank=True)
    tenant_id = models.CharField("tenant", max_length=128, blank=True)
    """Empty: the open platform."""
    customer_id = models.CharField("customer at Stripe", max_length=255, unique=True, null=True, blank=True)
    rev = models.PositiveBigIntegerField("revision", default=0)
    published_rev = models.PositiveBigIntegerField("published revision", default=0)
    revised_at = models.DateTimeField("last changed", default=now, editable=False)
    due_at = models.DateTimeField("next looked at by the sweep", default=now, editable=False)
    tries = models.PositiveIntegerField("times the sweep looked", default=0, editable=False)
    """Since the last revision; the more, the longer until `due_at`."""
    generation = models.PositiveIntegerField("customers before", default=0, editable=False)
    """How many customers of this account were deleted at Stripe."""
    created_at = models.DateTimeField("made", default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "user_id"], name="billing_one_account")]
        indexes = [models.Index(fields=["due_at"], name="billing_unpublished", condition=models.Q(published_rev__lt=models.F("rev")))]
        default_permissions = ("view",)
        permissions = [
            ("refund_account", "Can refund and cancel what an account pays for"),
            ("repair_account", "Can have an account looked up at Stripe again"),
        ]
        verbose_name = "billing account"

    def __str__(self) -> str:
        if not self.user_id:
            return f"tenant {self.tenant_id}"
        return f"{self.tenant_id}/{self.user_id}" if self.tenant_id else self.user_id

    @property
    def plan_id(self) -> str:
        """The one plan that an account of its kind buys."""
        return "premium" if self.user_id else "company"
