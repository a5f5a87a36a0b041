"""Offers through GraphQL, from the row that staff approved to the chart that moves."""

from datetime import timedelta
from typing import Any

import pytest

from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from offers import publishing_services, stats_services
from offers.handlers import HANDLERS
from offers.models import Company, Day, Offer
from tests.fixtures import FakeClock, new_user
from tests.offers.test_link_services import ask
from tests.offers.world import published, runner
from tests.streams import StreamingWorld

pytestmark = pytest.mark.usefixtures("memory_world")

FEED = """query($first: Int, $after: String) { offerFeed(first: $first, after: $after) {
    edges { cursor node { id title } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
} }"""


def gql(actor: Actor, document: str, **variables: Any) -> dict[str, Any]:
    result = schema.execute(document, variable_values=variables, context_value=Context(actor))
    assert result.errors is None, result.errors
    return result.data


def code(actor: Actor, document: str) -> tuple[str, str | None]:
    result = schema.execute(document, context_value=Context(actor))
    error: Any = result.errors[0].original_error
    return error.code, error.field


@pytest.mark.django_db
def test_from_the_approved_row_to_the_chart(streaming_world: StreamingWorld, memory_world: FakeClock) -> None:
    now = memory_world.now()
    company = Company.objects.create(name="Runwell", created_at=now)
    facts = {"body": "Light ones.", "url": "https://runwell.example/", "tags": ["running"], "goal_kinds": ["fitness"], "language": "en"}
    row = Offer.objects.create(
        company=company, title="Shoes", state="live", valid_from=now, valid_to=now + timedelta(days=30), created_at=now, **facts
    )
    publishing_services.publish(row.pk)
    ana = runner(new_user())

    (found,) = gql(
        ana,
        """{ offers(tags: ["running"]) { id title url tags validTo validFrom body imageUrl language premium impressionUrl whyThis
        company { id name } } }""",
    )["offers"]

    url, impression = found.pop("url"), found.pop("impressionUrl")
    assert found == {
        "id": row.pk,
        "title": "Shoes",
        "tags": ["running"],
        "validFrom": "2027-07-01T12:00:00Z",
        "validTo": "2027-07-31T12:00:00Z",
        "body": "Light ones.",
        "imageUrl": None,
        "language": "en",
        "premium": False,
        "whyThis": "Because your goal “Run a half marathon” is about running.",
        "company": {"id": company.pk, "name": "Runwell"},
    }
    assert (ask("get", impression).status_code, ask("get", url).headers["Location"]) == (200, "https://runwell.example/")
    for event in streaming_world.events(*HANDLERS):
        HANDLERS[event.type](event)
    stats_services.roll_up()
    assert Day.objects.values_list("views", "clicks", "reach").get(offer=row) == (1, 1, 1)
    assert [event.type for event in streaming_world.events("offer.published", "offer.withdrawn")] == ["offer.published"]


def test_the_feed_is_a_connection_page_by_page() -> None:
    ana = runner(new_user())
    for number in range(5):
        published(f"Offer {number}", company_id=f"c{number}")

    first = gql(ana, FEED, first=2)["offerFeed"]
    second = gql(ana, FEED, first=3, after=first["pageInfo"]["endCursor"])["offerFeed"]

    titles = [edge["node"]["title"] for page in (first, second) for edge in page["edges"]]
    assert titles == [f"Offer {number}" for number in range(5)]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert second["edges"][-1]["cursor"] == second["pageInfo"]["endCursor"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ offerFeed(first: 101) { edges { cursor } } }", ("INVALID", "first")),
        ('{ offerFeed(after: "x") { edges { cursor } } }', ("INVALID", "after")),
        ("{ offerFeed(first: 1, last: 1) { edges { cursor } } }", ("INVALID", "first")),
        ('{ offers(tags: ["a#b"]) { id } }', ("INVALID", "tags")),
        ('{ offer(id: "nothing") { id } }', ("NOT_FOUND", None)),
        ('mutation { hideCompany(companyId: "nobody") }', ("NOT_FOUND", None)),
    ],
)
def test_what_is_refused_says_why(document: str, expected: tuple[str, str | None]) -> None:
    assert code(runner(new_user()), document) == expected


def test_a_company_is_hidden_and_shown_again() -> None:
    ana = runner(new_user())
    published()
    document = "{ offers { id } offerFeed { edges { node { id } } } hiddenCompanies }"

    assert gql(ana, 'mutation { hideCompany(companyId: "runwell") }') == {"hideCompany": True}
    assert gql(ana, document) == {"offers": [], "offerFeed": {"edges": []}, "hiddenCompanies": ["runwell"]}
    assert gql(ana, 'mutation { unhideCompany(companyId: "runwell") }') == {"unhideCompany": True}
    assert len(gql(ana, document)["offers"]) == 1


def test_one_offer_by_its_id_as_far_as_the_plan_goes() -> None:
    ana = runner(new_user())
    gold = published("Gold", tier="premium")
    document = f'{{ offer(id: "{gold.offer_id}") {{ title premium whyThis }} }}'

    assert code(ana, document) == ("NOT_FOUND", None)
    assert gql(Actor(ana.user_id, tier=PREMIUM), document)["offer"]["premium"] is True
    stranger = gql(new_user(tier=PREMIUM), document)["offer"]
    assert stranger["whyThis"] == "Because you opened it."
