"""Moderation in GraphQL, as members meet it."""

from typing import Any

import graphene

from chat import decision_services, moderation_services


class Mutation:
    report_message = graphene.Boolean(
        required=True,
        message_id=graphene.ID(required=True, description="Which message."),
        reason=graphene.String(required=True, description="What is wrong with it: 1 to 500 characters."),
        description="Tell the moderators about somebody else's message. Always true; reporting it again changes nothing.",
    )
    appeal_moderation = graphene.Boolean(
        required=True,
        message_id=graphene.ID(required=True, description="Which message of one's own it was about."),
        text=graphene.String(required=True, description="Why they should look again: 1 to 1000 characters."),
        description=(
            "Ask that somebody else of the moderators looks again at a decision about one's own message, once for each decision. "
            "Always true; saying the same again changes nothing."
        ),
    )

    @staticmethod
    def resolve_report_message(_: Any, info: graphene.ResolveInfo, message_id: str, reason: str) -> bool:
        return moderation_services.report(info.context.actor, message_id, reason)

    @staticmethod
    def resolve_appeal_moderation(_: Any, info: graphene.ResolveInfo, message_id: str, text: str) -> bool:
        return decision_services.appeal(info.context.actor, message_id, text)
