"""`reportMessage` in GraphQL."""

from types import SimpleNamespace

import graphene
import pytest

from chat import message_services as messages
from chat import moderation_schema, moderation_services, services
from tests.chat.moderation_world import STAFF
from tests.chat.world import members


class Query(graphene.ObjectType):
    nothing = graphene.Boolean()


class Mutation(moderation_schema.Mutation, graphene.ObjectType):
    pass


SCHEMA = graphene.Schema(query=Query, mutation=Mutation)
REPORT = "mutation ($id: ID!, $why: String!) { reportMessage(messageId: $id, reason: $why) }"


@pytest.mark.usefixtures("memory_world")
def test_report_message():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Hello")

    told = SCHEMA.execute(REPORT, variables={"id": sent.id, "why": "Rude"}, context=SimpleNamespace(actor=bia))

    assert (told.errors, told.data) == (None, {"reportMessage": True})
    (case,) = moderation_services.queue_page(STAFF).items
    assert (case.id, case.reports) == (sent.id, 1)


def test_it_is_what_the_contract_says():
    assert "reportMessage(" in str(SCHEMA)
    assert str(SCHEMA).count("reason: String!\n  ): Boolean!") == 1
