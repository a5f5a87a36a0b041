"""From SQL to the table: the newest revision wins everywhere, whatever comes twice, late, in another order, or dies in between."""

import io
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.errors import Conflict, Invalid
from goalgraph.table import keys, table
from goalgraph.table.port import TableUnavailable
from offers import authoring_services as authoring
from offers import company_services as companies
from offers import items, publishing_services, tasks
from offers.domain import kind_tag
from offers.models import Company, Offer
from offers.publishing_services import publish, sweep
from tests.faults import LosesAnswers
from tests.fixtures import FakeClock
from tests.offers.backoffice_world import ahead, company, draft, live, partner, picture, staff, superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
TAGS = ("running", "health", "yoga", "sleep")


class Interleaved:
    """An adapter that lets somebody else go first, once, just before a transaction is written."""

    def __init__(self, adapter: Any, meanwhile: Callable[[], object]) -> None:
        self._adapter, self._meanwhile = adapter, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def transact(self, *args: Any) -> None:
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        self._adapter.transact(*args)


@pytest.fixture
def offer(owner: User, runwell: Company, reviewer: User) -> Offer:
    return live(owner, runwell, reviewer, tags=["running", "health"], goal_kinds=["fitness"])


def now(offer: Offer) -> Offer:
    return Offer.objects.select_related("company").get(pk=offer.pk)


def served(offer: Offer) -> items.Offer | None:
    return table(SYSTEM).get(keys.offer(offer.pk), consistent=True)  # type: ignore[return-value]


def places(offer: Offer) -> dict[str, int]:
    """Under which tags and kinds an offer stands, with the revision there."""
    all_places = [*TAGS, *map(kind_tag, ("fitness", "health"))]
    found = {place: table(SYSTEM).get(keys.tag_edge(place, offer.pk)) for place in all_places}
    return {place: int(edge.rev) for place, edge in found.items() if isinstance(edge, items.OfferEdge)}


def assert_settled(offer: Offer) -> None:
    """The table says what the row says, at its revision, everywhere."""
    row, item = now(offer), served(offer)
    assert item is not None
    assert row.published_rev == row.rev == item.rev
    if row.state == "live" and not row.company.archived:
        assert (item.state, item.title, item.tags, item.company_name) == ("published", row.title, row.tags, row.company.name)
        assert places(offer) == dict.fromkeys([*row.tags, *map(kind_tag, row.goal_kinds)], row.rev)
    else:
        assert (item.state, item.title, item.body, item.target_url, item.index_keys()) == ("withdrawn", "", "", "", ())
        assert places(offer) == {}


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return wiring.port("jobs").enqueued


# What is published ---------------------------------------------------------------------------------------------------------------------


def test_members_are_served_what_was_approved(owner: User, runwell: Company, reviewer: User):
    begins, ends = ahead(days=-1), ahead(days=9)
    offer = live(
        *(owner, runwell, reviewer),
        valid_from=begins,
        valid_to=ends,
        early_access_days=2,
        tier="premium",
        language="pt-BR",
        image=io.BytesIO(picture()),
    )
    publish(offer.pk)

    item = served(offer)
    assert item is not None
    assert (item.company_id, item.company_name, item.title, item.body) == (runwell.pk, "Runwell", "Shoes", "Light ones.")
    assert (item.target_url, item.tier, item.language, item.pace) == ("https://runwell.example/shoes", "premium", "pt-BR", 1)
    assert (item.valid_from, item.valid_to, item.public_from) == (begins, ends, ahead(days=1))
    assert item.image_url == now(offer).image.url
    assert item.index_keys() == (keys.offer_of_company(runwell.pk, offer.pk),)
    edge = table(SYSTEM).get(keys.tag_edge("running", offer.pk))
    assert isinstance(edge, items.OfferEdge)
    assert (edge.company_id, edge.tier, edge.language, edge.public_from) == (runwell.pk, "premium", "pt-BR", item.public_from)
    assert (edge.valid_from, edge.valid_to, edge.pace, edge.ttl) == (begins, ends, 1, item.ttl)
    assert_settled(offer)


def test_a_draft_leaves_a_mark_without_a_word_of_it(owner: User, runwell: Company):
    offer = draft(owner, runwell)
    publish(offer.pk)
    assert_settled(offer)


def test_edges_follow_the_tags_and_kinds(offer: Offer, owner: User, reviewer: User):
    publish(offer.pk)
    assert set(places(offer)) == {"running", "health", "kind:fitness"}

    authoring.edit_offer(owner, offer.pk, tags=["running", "yoga"], goal_kinds=["health"])
    publish(offer.pk)
    assert places(offer) == {}
    authoring.approve(reviewer, offer.pk)
    publish(offer.pk)

    assert set(places(offer)) == {"running", "yoga", "kind:health"}
    assert_settled(offer)


def test_tags_that_change_while_it_stays_live_move_in_one_transaction(offer: Offer):
    """No step of the services does this today; the projection does not rest on that."""
    publish(offer.pk)
    Offer.objects.update(tags=["yoga"], goal_kinds=[], rev=offer.rev + 1)
    before = len(wiring.port("table").records)

    publish(offer.pk)

    assert_settled(offer)
    kinds = [record["eventName"] for record in wiring.port("table").records[before:]]
    assert sorted(kinds) == ["INSERT", "MODIFY", "REMOVE", "REMOVE", "REMOVE"]


@pytest.mark.parametrize("step", ["pause", "archive", "reject", "edit"])
def test_what_is_taken_back_leaves_a_mark_and_no_edges(offer: Offer, owner: User, reviewer: User, step: str):
    publish(offer.pk)
    {
        "pause": lambda: authoring.pause(owner, offer.pk),
        "archive": lambda: authoring.archive(owner, offer.pk),
        "reject": lambda: authoring.reject(reviewer, offer.pk, "No."),
        "edit": lambda: authoring.edit_offer(owner, offer.pk, title="Other"),
    }[step]()
    publish(offer.pk)

    assert_settled(offer)
    assert served(offer).state == "withdrawn"  # type: ignore[union-attr]


def test_expired_offers_are_gone_by_the_clock_alone_and_their_row_follows(owner: User, runwell: Company, reviewer: User, world: FakeClock):
    offer = live(owner, runwell, reviewer, valid_to=ahead(hours=1))
    publish(offer.pk)
    world.advance(hours=1)
    assert served(offer) is None, "nobody had to be awake for that"
    assert places(offer) == {}

    sweep()
    publish(offer.pk)

    assert now(offer).state == "expired"
    assert_settled(offer)
    assert served(offer).ttl is None, "the mark stays, so that no older revision comes after it"  # type: ignore[union-attr]


def test_an_offer_that_has_run_out_is_not_published_late(owner: User, runwell: Company, reviewer: User, world: FakeClock):
    offer = live(owner, runwell, reviewer, valid_to=ahead(hours=1))
    world.advance(hours=2)
    publish(offer.pk)
    assert served(offer).state == "withdrawn"  # type: ignore[union-attr]


def test_an_expired_offer_comes_back_with_a_later_end(owner: User, runwell: Company, reviewer: User, world: FakeClock):
    offer = live(owner, runwell, reviewer, valid_to=ahead(hours=1))
    publish(offer.pk)
    world.advance(hours=2)
    authoring.edit_offer(owner, offer.pk, valid_to=ahead(days=1), tags=["yoga"])
    authoring.approve(reviewer, offer.pk)
    publish(offer.pk)
    assert_settled(offer)
    assert set(places(offer)) == {"yoga", "kind:fitness"}


def test_a_company_that_is_archived_or_renamed_takes_its_offers_along(offer: Offer, owner: User, runwell: Company):
    ops, idle = superuser(), draft(owner, runwell)
    for change in ({"name": "Runwell Ltd"}, {"archived": True}, {"archived": False}):
        companies.edit_company(ops, runwell.pk, **change)
        for each in (offer, idle):
            publish(each.pk)
            assert_settled(each)
    assert served(offer).company_name == "Runwell Ltd"  # type: ignore[union-attr]


def test_pacing_reaches_the_edges(offer: Offer):
    publish(offer.pk)
    publishing_services.set_pace(offer.pk, 0.25)
    publish(offer.pk)
    publishing_services.set_pace(offer.pk, 0.25)

    assert now(offer).rev == offer.rev + 1, "the same pace again is no revision"
    assert table(SYSTEM).get(keys.tag_edge("running", offer.pk)).pace == 0.25  # type: ignore[union-attr]
    assert_settled(offer)


def test_it_holds_on_dynamodb(dynamo_world: Any):
    ports = {"link_checker": {"BACKEND": "tests.offers.backoffice_world.FakeLinkChecker"}}
    with override_settings(PORTS=settings.PORTS | ports):
        vita = company("Vita")
        owner, reviewer = partner("vita", vita), staff("reviewer", "moderator")
        offer = live(owner, vita, reviewer, tags=["running", "health"], valid_to=ahead(days=1))
        publish(offer.pk)
        assert_settled(offer)
        authoring.edit_offer(owner, offer.pk, tags=["yoga"])
        publish(offer.pk)
        assert_settled(offer)
        authoring.approve(reviewer, offer.pk)
        publish(offer.pk)
        publish(offer.pk)
        assert_settled(offer)
        assert set(places(offer)) == {"yoga", "kind:fitness"}


# The outbox ----------------------------------------------------------------------------------------------------------------------------


def test_each_change_sends_a_task_once_it_is_committed(
    owner: User, runwell: Company, django_capture_on_commit_callbacks: Any, django_assert_num_queries: Any
):
    with django_capture_on_commit_callbacks(execute=True):
        offer = draft(owner, runwell)
        assert jobs() == [], "not before: a worker would find the old row"
    assert jobs() == [("offers.tasks.publish", {"offer_id": offer.pk})]

    tasks.publish(offer.pk)
    assert_settled(offer)


def test_the_sweep_sends_again_what_was_lost_and_nothing_else(offer: Offer, owner: User, runwell: Company):
    lost = draft(owner, runwell)
    publish(offer.pk)
    jobs().clear()

    tasks.sweep()
    assert jobs() == [("offers.tasks.publish", {"offer_id": lost.pk})]

    publish(lost.pk)
    jobs().clear()
    tasks.sweep()
    assert jobs() == []


@pytest.mark.parametrize("died", ["before the table", "after the table"])
def test_death_between_sql_and_the_table_is_repaired_by_the_sweep(offer: Offer, owner: User, died: str, monkeypatch: pytest.MonkeyPatch):
    publish(offer.pk)
    authoring.pause(owner, offer.pk)
    if died == "before the table":
        monkeypatch.setattr(wiring.port("table"), "transact", _dies)
    else:
        monkeypatch.setattr("offers.publishing_services.until_won", lambda project: (project(), _dies()))
    with pytest.raises(TableUnavailable):
        publish(offer.pk)
    monkeypatch.undo()
    assert now(offer).published_rev < now(offer).rev
    jobs().clear()

    sweep()
    for _, arguments in jobs():
        tasks.publish(**arguments)

    assert_settled(offer)


def _dies(*_: Any) -> None:
    raise TableUnavailable("the process is gone")


def test_a_task_that_comes_again_writes_nothing(offer: Offer):
    publish(offer.pk)
    records = len(wiring.port("table").records)

    for _ in range(3):
        tasks.publish(offer.pk)

    assert len(wiring.port("table").records) == records
    assert_settled(offer)


def test_a_lost_answer_counts_once(offer: Offer, owner: User, reviewer: User, monkeypatch: pytest.MonkeyPatch):
    forgetful = LosesAnswers(wiring.port("table"))
    monkeypatch.setattr(wiring, "table_adapter", lambda: forgetful)
    publish(offer.pk)
    authoring.edit_offer(owner, offer.pk, tags=["yoga"])
    publish(offer.pk)
    authoring.approve(reviewer, offer.pk)
    publish(offer.pk)
    assert_settled(offer)


def test_a_task_of_no_offer_does_nothing():
    publish("00000000-0000-7000-8000-000000000000")
    assert wiring.port("table").records == []


# Two at once ---------------------------------------------------------------------------------------------------------------------------


def change_everything(owner: User, reviewer: User, offer: Offer) -> None:
    authoring.edit_offer(owner, offer.pk, title="Newer", tags=["yoga", "sleep"], goal_kinds=["health"])
    authoring.approve(reviewer, offer.pk)


@pytest.mark.parametrize("published_before", [False, True])
@pytest.mark.parametrize("ends", ["live", "paused", "archived company"])
def test_an_offer_that_is_edited_while_it_is_published_ends_with_the_newest_revision_everywhere(
    offer: Offer, owner: User, reviewer: User, runwell: Company, *, published_before: bool, ends: str, monkeypatch: pytest.MonkeyPatch
):
    """The first publisher has read the row and the table; then the row is edited and published by another; then the first one writes."""
    if published_before:
        publish(offer.pk)
        publishing_services.set_pace(offer.pk, 0.5)  # so that the first publisher has something to write
    adapter = wiring.port("table")

    def meanwhile() -> None:
        change_everything(owner, reviewer, offer)
        if ends == "paused":
            authoring.pause(owner, offer.pk)
        if ends == "archived company":
            companies.edit_company(superuser(), runwell.pk, archived=True)
        publish(offer.pk)

    interleaved = Interleaved(adapter, meanwhile)
    monkeypatch.setattr(wiring, "table_adapter", lambda: interleaved)
    publish(offer.pk)

    assert_settled(offer)


def test_an_edit_after_the_row_was_read_is_left_to_its_own_task(offer: Offer, owner: User, reviewer: User, monkeypatch: pytest.MonkeyPatch):
    interleaved = Interleaved(wiring.port("table"), lambda: change_everything(owner, reviewer, offer))
    monkeypatch.setattr(wiring, "table_adapter", lambda: interleaved)
    publish(offer.pk)

    row = now(offer)
    assert row.published_rev == offer.rev < row.rev, "what was written is what was read, and the row says so"
    sweep()
    publish(offer.pk)
    assert_settled(offer)


def test_a_late_publisher_of_an_old_revision_changes_nothing(offer: Offer, owner: User, reviewer: User, monkeypatch: pytest.MonkeyPatch):
    """As one that was stopped for a minute right after it had read the row."""
    stale = now(offer)
    change_everything(owner, reviewer, offer)
    authoring.archive(owner, offer.pk)
    publish(offer.pk)

    monkeypatch.setattr(Offer.objects, "select_related", lambda *_: _Only(stale))
    publish(offer.pk)
    monkeypatch.undo()

    assert_settled(offer)
    assert served(offer).state == "withdrawn"  # type: ignore[union-attr]


class _Only:
    """A query that finds a row as it was."""

    def __init__(self, row: Offer) -> None:
        self._row = row

    def filter(self, **_: Any) -> "_Only":
        return self

    def first(self) -> Offer:
        return self._row


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_snapshots_projected_in_any_order_end_with_the_newest(
    order: tuple[int, ...], offer: Offer, owner: User, reviewer: User, monkeypatch: pytest.MonkeyPatch
):
    rows = [now(offer)]
    for step in (
        lambda: authoring.edit_offer(owner, offer.pk, tags=["yoga"]),
        lambda: authoring.approve(reviewer, offer.pk),
        lambda: publishing_services.set_pace(offer.pk, 0.5),
    ):
        step()
        rows.append(now(offer))

    for place in order:
        monkeypatch.setattr(Offer.objects, "select_related", lambda *_, row=rows[place]: _Only(row))
        publish(offer.pk)
    monkeypatch.undo()

    assert_settled(offer)


@hypothesis_settings(max_examples=40)
@given(steps=st.lists(st.sampled_from(["edit", "approve", "pause", "resume", "pace", "rename", "publish", "sweep", "hour"]), max_size=14))
def test_whatever_happened_the_sweep_brings_the_table_to_the_row(steps: list[str]):
    runwell = company("Runwell")
    tag = str(runwell.pk)[-6:]
    owner, reviewer, ops = partner(f"p{tag}", runwell), staff(f"m{tag}", "moderator"), superuser(f"a{tag}")
    offer = live(owner, runwell, reviewer, tags=["running"], valid_to=ahead(hours=6))
    take: dict[str, Callable[[int], object]] = {
        "edit": lambda turn: authoring.edit_offer(owner, offer.pk, title=f"Shoes {turn}", tags=[TAGS[turn % 4], TAGS[(turn + 1) % 4]]),
        "approve": lambda _: authoring.approve(reviewer, offer.pk),
        "pause": lambda _: authoring.pause(owner, offer.pk),
        "resume": lambda _: authoring.resume(owner, offer.pk),
        "pace": lambda turn: publishing_services.set_pace(offer.pk, turn / 20),
        "rename": lambda turn: companies.edit_company(ops, runwell.pk, name=f"Runwell {turn}"),
        "publish": lambda _: publish(offer.pk),
        "sweep": lambda _: sweep(),
        "hour": lambda _: wiring.port("clock").advance(hours=1),
    }
    for turn, step in enumerate(steps):
        try:
            take[step](turn)
        except (Conflict, Invalid):  # that step does not start from here
            continue
    sweep()
    sweep()
    publish(offer.pk)
    assert_settled(offer)
