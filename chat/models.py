"""The moderators' desk in SQL: where each case stands, who works at it, and what was decided. What members wrote stays in the table.

A `Case` is the row of a `ModerationCase` there. Facts come from the table (`source_version`); who claimed it and what was decided is
authored here (`version`), recorded first and then applied to the table (`CaseAction.applied_at`).
"""

from typing import Any

from django.conf import settings
from django.db import models

from chat.domain import MessageRef
from chat.moderation_domain import ACTIONS, CLAIMED, ESCALATED, OPEN, RESOLVED, RULES
from goalgraph.ids import new_id

STATES = (OPEN, CLAIMED, ESCALATED, RESOLVED)
CLAIM, RELEASE = "claim", "release"
ACT, ACT_ON_ESCALATED = "act_on_case", "act_on_escalated_case"


class Case(models.Model):
    """A message that people should look at. `version` grows with each thing that moderators do, and when the case opens again."""

    tenant_id = models.CharField("tenant", max_length=128, blank=True, default="")
    """Empty: the open platform."""
    room_id = models.CharField(max_length=128)
    seq = models.PositiveBigIntegerField()
    sender_id = models.CharField("sender", max_length=128, db_index=True)
    state = models.CharField(max_length=10, choices=[(state, state) for state in STATES], default=OPEN, db_index=True)
    urgent = models.BooleanField(default=False)
    score = models.FloatField(default=0)
    reasons = models.JSONField(default=list)
    kinds = models.CharField(max_length=200, blank=True)
    """The kinds of the reasons, to find cases by: `|card|slur|`."""
    reports = models.PositiveIntegerField(default=0)
    hidden = models.BooleanField(default=False)
    """Whether the message is hidden until somebody decides."""
    outcome = models.CharField(max_length=10, blank=True)
    opened_at = models.DateTimeField()
    openings = models.PositiveIntegerField(default=0)
    appealed = models.BooleanField(default=False)
    """Whether its sender asked for another look at the last decision."""
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    source_version = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ("view",)
        permissions = [(ACT, "Can decide cases"), (ACT_ON_ESCALATED, "Can decide escalated cases")]
        ordering = ("-urgent", "-score", "opened_at", "id")
        constraints = [models.UniqueConstraint(fields=["tenant_id", "room_id", "seq"], name="one_case_a_message")]
        indexes = [models.Index(fields=["-urgent", "-score", "opened_at", "id"], name="cases_in_queue")]

    def __str__(self) -> str:
        return f"Case {self.pk}"

    @property
    def message_id(self) -> str:
        return str(MessageRef(self.seq, self.room_id))


class UrgentCase(Case):
    """A case in which somebody may need help now. The same row, in a list of its own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = "urgent case"


class CaseAction(models.Model):
    """One thing that a moderator did with a case. Only ever added to; `applied_at` says when what follows from it was done."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="actions")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    action = models.CharField(max_length=10, choices=[(action, action) for action in (*ACTIONS, CLAIM, RELEASE)])
    rule = models.CharField(max_length=12, choices=list(RULES.items()), blank=True)
    """What the member is told that it is about."""
    reason = models.TextField(blank=True)
    """For the other moderators."""
    until = models.DateTimeField(null=True)
    """When the sanction ends."""
    case_version = models.PositiveIntegerField()
    """The case's version that it made. It numbers the decisions."""
    applied_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("case_version",)
        constraints = [models.UniqueConstraint(fields=["case", "case_version"], name="one_action_a_version")]
        indexes = [models.Index(fields=["at"], name="case_actions_to_apply", condition=models.Q(applied_at=None))]

    def __str__(self) -> str:
        return f"{self.action} by {self.staff}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Only a new one."""
        super().save(*args, **{**kwargs, "force_insert": True})
