"""Signed links: counted once whatever is lost or repeated, forged by nobody, leading only where the offer leads now."""

import asyncio
import io
import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.test import AsyncClient, override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.logs import JsonFormatter
from goalgraph.table import keys, table
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import TableUnavailable
from offers import link_services, repository
from offers.domain import CLICK, VIEW, local_day
from offers.items import Offer, OfferTouch
from tests.contracts.table_items import ON_A_FIXTURE
from tests.faults import LosesAnswers
from tests.fixtures import FakeClock, new_user
from tests.offers.world import published, withdrawn
from tests.streams import StreamingWorld
from users import services as users

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "Sec-Fetch-Mode": "navigate"}


class Client(AsyncClient):
    address = "127.0.0.1"

    def _base_scope(self, **request: Any) -> dict[str, Any]:
        return {**super()._base_scope(**request), "client": [self.address, 0]}


def ask(method: str, url: str, headers: dict[str, str] | None = None, *, address: str | None = None) -> HttpResponse:
    """As what sends these headers, by default a browser that goes there; from an address that nobody else has, or from this one."""
    client = Client(enforce_csrf_checks=True)
    client.address = address or new_address()
    call = getattr(client, method)
    return asyncio.run(call(url.removeprefix(settings.PUBLIC_URL), headers=BROWSER if headers is None else headers))


def new_address() -> str:
    return f"2001:db8::{secrets.randbelow(2**16):x}:{secrets.randbelow(2**16):x}"


def click_link(actor: Actor, offer: Offer) -> str:
    return link_services.click_url(actor, offer.offer_id, link_services.new_link_id())


def view_link(actor: Actor, offer: Offer) -> str:
    return link_services.view_url(actor, offer.offer_id, link_services.new_link_id())


def counts(actor: Actor) -> dict[str, list[int]]:
    day = local_day(link_services.wiring.clock().now(), users.me(actor).timezone)
    return dict(repository.shown_offers(actor, day, consistent=True).counts)


def touches(world: StreamingWorld) -> list[str]:
    return [event.data["kind"] for event in world.events("offer.touched")]


@pytest.fixture
def offer(memory_world: FakeClock) -> Offer:
    return published()


# What a link does --------------------------------------------------------------------------------------------------------------------


def test_a_click_leads_to_the_offer_and_counts_once(offer: Offer, actor: Actor, streaming_world: StreamingWorld) -> None:
    url = click_link(actor, offer)
    assert url.startswith("http://testserver/o/")
    for _ in range(3):
        response = ask("get", url)
        assert (response.status_code, response.headers["Location"]) == (302, "https://runwell.example/shoes")

    (event,) = streaming_world.events("offer.touched")
    assert event.data == {"offerId": offer.offer_id, "companyId": "runwell", "kind": "click", "day": "2027-07-01"}
    assert counts(actor) == {offer.offer_id: [0, 1]}


def test_the_answer_is_kept_by_nobody_and_tells_nobody_where_one_came_from(offer: Offer, actor: Actor) -> None:
    for url in (click_link(actor, offer), view_link(actor, offer), f"{click_link(actor, offer)}x"):
        response = ask("get", url)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Robots-Tag"] == "noindex"
        assert not response.cookies


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_view_counts_once(method: str, offer: Offer, actor: Actor, streaming_world: StreamingWorld) -> None:
    image = view_link(actor, offer)
    for _ in range(3):
        response = ask(method, image if method == "get" else image.removesuffix(".gif"), {**BROWSER, "Sec-Fetch-Mode": "no-cors"})
        assert response.status_code == (200 if method == "get" else 204)

    assert touches(streaming_world) == ["view"]
    assert counts(actor) == {offer.offer_id: [1, 0]}


def test_the_image_is_one(offer: Offer, actor: Actor) -> None:
    response = ask("get", view_link(actor, offer))

    assert response.headers["Content-Type"] == "image/gif"
    assert response.content.startswith(b"GIF89a")


def test_a_click_goes_where_the_offer_leads_now(offer: Offer, actor: Actor) -> None:
    url = click_link(actor, offer)
    published(offer_id=offer.offer_id, rev=2, target_url="https://runwell.example/new")

    assert ask("get", url).headers["Location"] == "https://runwell.example/new"


# What it does not --------------------------------------------------------------------------------------------------------------------


def dead_links(actor: Actor, offer: Offer, clock: FakeClock) -> Iterator[str]:
    yield "/o/x"
    yield "/o/" + "x" * 3000
    yield "/o/" + signing.Signer(salt="another").sign_object([1, 2**33, None, actor.user_id, offer.offer_id, "l"])
    yield "/o/" + signing.Signer(salt="offers.link").sign_object(["click"])
    yield "/o/" + signing.Signer(salt="offers.link").sign_object([7, 2**33, None, actor.user_id, offer.offer_id, "l"])
    yield view_link(actor, offer).removesuffix(".gif")
    old = click_link(actor, offer)
    clock.advance(hours=48)
    yield old


def test_forged_old_and_withdrawn_links_are_the_same_bytes(offer: Offer, actor: Actor, memory_world: FakeClock) -> None:
    gone = published("Gone", offer_id="gone")
    url = click_link(actor, gone)
    withdrawn(gone)
    answers = [ask("get", url)]
    answers += [ask("get", each) for each in dead_links(actor, offer, memory_world)]
    ended = published("Ended", valid_to=memory_world.now() + timedelta(hours=1))
    last = click_link(actor, ended)
    memory_world.advance(hours=1)
    answers.append(ask("get", last))

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    headers = {tuple(sorted((k, v) for k, v in answer.headers.items() if k != "X-Trace-Id")) for answer in answers}
    assert len(headers) == 1


def test_a_link_of_a_tenants_member_leads_into_their_tenant_only(offer: Offer) -> None:
    assert ask("get", click_link(new_user(tenant_id="acme"), offer)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "WhatsApp/2.23.20.0"},
        {**BROWSER, "Sec-Purpose": "prefetch;prerender"},
        {**BROWSER, "Purpose": "prefetch"},
        {**BROWSER, "Sec-Fetch-Mode": "no-cors"},
        {**BROWSER, "Sec-Fetch-Mode": "cors"},
    ],
)
def test_what_is_no_members_doing_counts_nothing(
    headers: dict[str, str], offer: Offer, actor: Actor, streaming_world: StreamingWorld
) -> None:
    url = click_link(actor, offer)
    assert ask("get", url, headers).status_code == 302
    assert ask("head", url).status_code == 302
    assert ask("head", view_link(actor, offer)).status_code == 200
    assert touches(streaming_world) == []

    ask("get", url)
    assert touches(streaming_world) == ["click"]


@pytest.mark.parametrize("headers", [{}, {"User-Agent": "GoalGraph/3.1 (iPhone)"}, {"User-Agent": "Mozilla/5.0 (Linux; Android 9; CUBOT)"}])
def test_an_application_that_tells_nothing_of_itself_counts(
    headers: dict[str, str], offer: Offer, actor: Actor, streaming_world: StreamingWorld
) -> None:
    ask("get", click_link(actor, offer), headers)

    assert touches(streaming_world) == ["click"]


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_not_answered(method: str, offer: Offer, actor: Actor) -> None:
    assert ask(method, click_link(actor, offer)).status_code == 405


@given(st.text(max_size=300))
def test_no_text_is_a_token(text: str) -> None:
    assert link_services.read(text, CLICK) is None
    assert link_services.read(text, VIEW) is None


@given(st.data())
def test_a_token_that_was_touched_is_none(data: st.DataObject) -> None:
    token = link_services.click_url(Actor("ana"), "o1", "l1").rpartition("/")[2]
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda char: char != token[place]))
    assert link_services.read(token, CLICK)
    changed = token[:place] + other + token[place + 1 :]
    assert link_services.read(changed, CLICK) is None or signature_says_the_same(token, changed)


def signature_says_the_same(token: str, changed: str) -> bool:
    """The last character of base64 has bits that mean nothing, but the signature is compared as text."""
    return token == changed


def test_a_token_is_short_enough_for_any_message() -> None:
    longest = Actor("u" * 128, tenant_id="t" * 128)
    assert len(link_services.click_url(Actor("auth0-5f7c8ec7c33c6c004bbafe82"), "0" * 36, "0" * 16)) < 300
    assert link_services.read(link_services.click_url(longest, "0" * 36, "0" * 16).rpartition("/")[2], CLICK)


# How much is counted -----------------------------------------------------------------------------------------------------------------


def test_views_and_clicks_of_a_day_are_counted_so_far_and_no_further(actor: Actor, offer: Offer, streaming_world: StreamingWorld) -> None:
    for _ in range(5):
        assert ask("get", click_link(actor, offer)).status_code == 302
        assert ask("get", view_link(actor, offer)).status_code == 200

    assert counts(actor) == {offer.offer_id: [3, 3]}
    assert sorted(touches(streaming_world)) == ["click"] * 3 + ["view"] * 3

    streaming_world.clock.advance(days=1)
    ask("get", view_link(actor, offer))
    assert counts(actor) == {offer.offer_id: [1, 0]}


def test_a_members_day_has_room_for_so_many_offers(actor: Actor, offer: Offer) -> None:
    day = repository.shown_offers(actor, local_day(link_services.wiring.clock().now(), "UTC"))
    day.counts = {f"01234567-89ab-7def-8123-{number:012}": [3, 3] for number in range(repository.MAX_SHOWN)}
    table(actor).put(day)

    assert link_services.follow(link_of(actor, offer, CLICK), counts=True) == offer.target_url
    assert len(counts(actor)) == repository.MAX_SHOWN


def link_of(actor: Actor, offer: Offer, kind: str) -> link_services.Link:
    make = link_services.click_url if kind == CLICK else link_services.view_url
    token = make(actor, offer.offer_id, link_services.new_link_id()).rpartition("/")[2].removesuffix(".gif")
    found = link_services.read(token, kind)
    assert found
    return found


@pytest.mark.parametrize("kind", [VIEW, CLICK])
def test_twenty_at_once_through_one_link_are_one(kind: str, offer: Offer, actor: Actor, streaming_world: StreamingWorld) -> None:
    link = link_of(actor, offer, kind)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: use(link), range(20)))

    assert touches(streaming_world) == [kind]


def use(link: link_services.Link) -> None:
    if link.kind == CLICK:
        link_services.follow(link, counts=True)
    else:
        link_services.see(link)


def test_on_dynamodb_too_many_at_once_are_counted_once_each(dynamo_world: DynamoTable, actor: Actor) -> None:
    offer = published()
    links = [link_of(actor, offer, kind) for kind in (VIEW, CLICK) for _ in range(2)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(use, links * 3))

    assert counts(actor) == {offer.offer_id: [2, 2]}
    for link in links:
        assert table(actor).get(keys.offer_link(actor.user_id, link.link_id, link.kind), consistent=True)


def test_different_links_at_once_are_all_counted_up_to_the_days_bound(offer: Offer, actor: Actor, streaming_world: StreamingWorld) -> None:
    links = [link_of(actor, offer, kind) for kind in (VIEW, CLICK) for _ in range(6)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(use, links))

    assert counts(actor) == {offer.offer_id: [3, 3]}
    assert len(touches(streaming_world)) == 6


@ON_A_FIXTURE
@given(uses=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20))
def test_any_series_of_touches_counts_each_link_and_kind_once(memory_world: FakeClock, uses: list[tuple[int, bool]]) -> None:
    actor, offer = new_user(), published()
    link_ids = [link_services.new_link_id() for _ in range(6)]
    expected = [0, 0]
    used = set()
    for number, clicks in uses:
        make = link_services.click_url if clicks else link_services.view_url
        token = make(actor, offer.offer_id, link_ids[number]).rpartition("/")[2].removesuffix(".gif")
        use(link_services.read(token, CLICK if clicks else VIEW))
        if (number, clicks) not in used and expected[clicks] < 3:
            used.add((number, clicks))
            expected[clicks] += 1
    assert counts(actor) == ({offer.offer_id: expected} if used else {})


# Faults ------------------------------------------------------------------------------------------------------------------------------


class ForgetfulTable(LosesAnswers):
    def __init__(self) -> None:
        super().__init__(MemoryTable())


class StopsCounting(MemoryTable):
    """Reads on, and writes no transaction."""

    def transact(self, operations: Any, token: str) -> None:
        raise TableUnavailable("gone")


class Gone(MemoryTable):
    def get(self, key: Any, *, consistent: bool) -> Any:
        raise TableUnavailable("gone")


def ports_with(behind: type) -> dict[str, dict[str, Any]]:
    return settings.PORTS | {"table": {"BACKEND": f"{__name__}.{behind.__name__}"}, "clock": {"BACKEND": "tests.fixtures.FakeClock"}}


def test_an_answer_that_is_lost_counts_once(actor: Actor) -> None:
    with override_settings(PORTS=ports_with(ForgetfulTable)):
        offer = published()
        link = link_of(actor, offer, CLICK)
        for _ in range(2):
            use(link)
        assert counts(actor) == {offer.offer_id: [0, 1]}
        touch = table(actor).get(keys.offer_link(actor.user_id, link.link_id, CLICK))
        assert isinstance(touch, OfferTouch)


def test_a_click_that_cannot_be_counted_leads_on_all_the_same(actor: Actor) -> None:
    with override_settings(PORTS=ports_with(StopsCounting)):
        offer = published()
        assert ask("get", click_link(actor, offer)).status_code == 302
        assert counts(actor) == {}


def test_without_the_table_a_link_asks_to_come_back(actor: Actor) -> None:
    with override_settings(PORTS=ports_with(Gone)):
        url = link_services.click_url(actor, "o1", "l1")
        assert ask("get", url).status_code == 503


def test_what_was_touched_is_forgotten_after_a_while(actor: Actor, offer: Offer, memory_world: FakeClock) -> None:
    link = link_of(actor, offer, CLICK)
    use(link)
    memory_world.advance(days=39)
    assert table(SYSTEM).get(keys.offer_link(actor.user_id, link.link_id, CLICK))
    memory_world.advance(days=1)
    assert table(SYSTEM).get(keys.offer_link(actor.user_id, link.link_id, CLICK)) is None


# How often, and what is written down -------------------------------------------------------------------------------------------------


def test_who_follows_links_without_end_is_slowed_down(offer: Offer, actor: Actor) -> None:
    with override_settings(OFFER_LINK_BURST=2, OFFER_LINKS_PER_SECOND=0.01):
        address = new_address()
        statuses = [ask("get", click_link(actor, offer), address=address).status_code for _ in range(3)]
        assert statuses == [302, 302, 429]
        assert ask("get", click_link(new_user(), offer), address=address).status_code == 302


def test_an_address_is_slowed_down_after_many_members(offer: Offer) -> None:
    with override_settings(OFFER_LINK_BURST=1, OFFER_LINKS_PER_SECOND=0.001):
        address = new_address()
        statuses = [ask("get", click_link(new_user(), offer), address=address).status_code for _ in range(11)]

    assert statuses == [302] * 10 + [429]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def test_no_log_has_the_token_or_the_member(actor: Actor, lines: io.StringIO) -> None:
    with override_settings(PORTS=ports_with(StopsCounting)):
        offer = published()
        urls = [click_link(actor, offer), view_link(actor, offer), f"{click_link(actor, offer)}x"]
        for url in urls:
            ask("get", url)
    with override_settings(PORTS=ports_with(Gone)):
        ask("get", urls[0])

    text = lines.getvalue()
    assert "/o/..." in text
    assert "was not counted" in text
    assert actor.user_id not in text
    for url in urls:
        assert url.rpartition("/o/")[2][:20] not in text


def test_a_premium_members_link_is_theirs_after_the_plan_ended(actor: Actor) -> None:
    """Where the page is reached by a link that was served in time, it still leads there."""
    with override_settings(PORTS=ports_with(MemoryTable)):
        offer = published(tier="premium")
        assert ask("get", click_link(replace(actor, tier="premium"), offer)).status_code == 302
