"""Moderation in GraphQL, as members meet it."""

from typing import Any

import graphene

from chat import moderation_services


class Mutation:
    report_message = graphene.Boolean(
        required=True,
        message_id=graphene.ID(required=True, description="Which message."),
        reason=graphene.String(required=True, description="What is wrong with it: 1 to 500 characters."),
        description="Tell the moderators about somebody else's message. Always true; reporting it again changes nothing.",
    )

    @staticmethod
    def resolve_report_message(_: Any, info: graphene.ResolveInfo, message_id: str, reason: str) -> bool:
        return moderation_services.report(info.context.actor, message_id, reason)
