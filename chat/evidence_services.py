"""What moderators look at before they decide: the message and what came before it, who reported it and how right they were before, what the
desk and the platform did so far, and what became of the sender's earlier cases."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from chat import case_services, repository
from chat import moderation_repository as cases
from chat.decision_services import DISMISSED
from chat.items import Message
from chat.models import Case, CaseAction
from chat.moderation_domain import NEWCOMER, UNJUDGED, case_score
from chat.moderation_items import CaseDecision, MessageReport, ModerationCase, ReporterRecord
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import NotFound
from users import sanction_services as sanctions
from users.sanction_services import Standing

audit = logging.getLogger("goalgraph.audit")

EXCERPT = 120
"""Characters of a message in the list of cases."""
EARLIER = 20


@dataclass(frozen=True, slots=True)
class Report:
    """What a member says is wrong, and what their word weighs today."""

    report: MessageReport
    record: ReporterRecord | None

    @property
    def weight(self) -> float:
        return self.record.weight if self.record else NEWCOMER


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done with a case, by `who`. Staff's have a reason; the platform's own have none."""

    at: datetime
    who: str
    action: str
    rule: str = ""
    reason: str = ""
    until: datetime | None = None
    waits: bool = False
    """Whether what follows from it is not done yet."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`item` is None where the table does not keep the case any more; `message` where it does not keep the message."""

    case: Case
    item: ModerationCase | None
    message: Message | None
    context: Sequence[Mapping[str, Any]]
    reports: Sequence[Report]
    score: float
    """With what the reporters' words weigh today."""
    history: Sequence[Step]
    earlier: Sequence[Case]
    sanction: Standing


def evidence(staff: User, case_id: int) -> Evidence:
    """All about a case. Whoever looks leaves an audit line. Raises Forbidden, NotFound."""
    case = case_services.queue(staff).filter(pk=case_id).first()
    if case is None:
        raise NotFound
    actor = _platform(case.tenant_id)
    file = cases.file(actor, case.room_id, case.seq)
    found = cases.records(actor, [report.reporter_id for report in file.reports])
    reports = [Report(report, found.get(report.reporter_id)) for report in sorted(file.reports, key=lambda each: each.created_at)]
    audit.info("case.looked_at", extra={"data": {"staff": staff.get_username(), "case": case.pk, "tenant": case.tenant_id or None}})
    return Evidence(
        case=case,
        item=file.case,
        message=repository.message(actor, case.room_id, case.seq),
        context=[_line(each) for each in file.case.context] if file.case else [],
        reports=reports,
        score=_score(file.case, reports),
        history=_history(case, file.decisions),
        earlier=_earlier(case),
        sanction=sanctions.standing(actor, case.sender_id),
    )


def excerpts(rows: Iterable[Case]) -> dict[int, str]:
    """How the messages of cases begin, by the case's id; one round trip for 100 cases of a tenant. What is no longer kept is empty."""
    by_tenant: dict[str, list[Case]] = {}
    for row in rows:
        by_tenant.setdefault(row.tenant_id, []).append(row)
    found: dict[int, str] = {}
    for tenant_id, own in by_tenant.items():
        items = cases.many_cases(_platform(tenant_id), [(row.room_id, row.seq) for row in own])
        found |= {row.pk: _excerpt(item) for row, item in zip(own, items, strict=True)}
    return found


def _excerpt(item: ModerationCase | None) -> str:
    text = " ".join(item.text.split()) if item else ""
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    """A message before the one at issue."""
    return dict(line) | {"at": datetime.fromisoformat(line["ts"])}


def _score(item: ModerationCase | None, reports: Sequence[Report]) -> float:
    """Reports that were dismissed do not count."""
    if item is None:
        return 0
    return case_score(float(item.verdict_score), sum(each.weight for each in reports if each.report.counted != DISMISSED))


def _history(case: Case, decisions: Sequence[CaseDecision]) -> list[Step]:
    """The desk's own actions, and what was done past the desk, oldest first."""
    actions = list(case.actions.select_related("staff"))
    own = {action.pk for action in actions}
    others = [Step(each.created_at, _who(each), each.action) for each in decisions if each.decision_id not in own]
    return sorted([*others, *map(_step, actions)], key=lambda step: step.at)


def _step(action: CaseAction) -> Step:
    waits = action.applied_at is None
    return Step(action.at, action.staff.get_username(), action.action, action.get_rule_display(), action.reason, action.until, waits)


def _who(decision: CaseDecision) -> str:
    """A report that hides a message was written by its reporter; it is the platform that hides."""
    return "the platform" if decision.decision_id.startswith("auto-") else decision.actor_id


def _earlier(case: Case) -> list[Case]:
    """The sender's other cases, the newest first."""
    same = Case.objects.filter(tenant_id=case.tenant_id, sender_id=case.sender_id).exclude(pk=case.pk)
    return list(same.order_by("-opened_at")[:EARLIER])


def _platform(tenant_id: str) -> Actor:
    return replace(SYSTEM, tenant_id=tenant_id or None)


REASONS = {
    "card": "card number",
    "self_harm": "self-harm",
    "slur": "slur",
    "profanity": "profanity",
    "phone": "phone number",
    "email": "e-mail address",
    "link": "link",
    UNJUDGED: "not judged",
    "reported": "reported",
}
"""What the codes of reasons mean."""


def words_of(reason: str) -> str:
    """A reason such as `slur:en` in words."""
    kind, _, detail = reason.partition(":")
    name = REASONS.get(kind, kind)
    return f"{name} ({detail})" if detail else name
