"""Billing accounts in the back office: who may see them, and give back what was paid."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from tests.billing.world import Buyer, World

LIST = "/admin/billing/account/"


@pytest.fixture(autouse=True)
def _groups(transactional_db: None) -> None:
    """Other tests that flush SQL have taken the groups of the migrations with them."""
    groups = import_module("users.migrations.0003_groups")
    groups.make_groups(apps, SimpleNamespace(connection=connection))
    for name in groups.GROUPS:
        Group.objects.get_or_create(name=name)


def browser_of(role: str) -> Client:
    client = Client()
    if role == "nobody":
        return client
    user = User.objects.create_user(role, is_staff=role != "member")
    if role in ("support", "ops", "partner", "moderator"):
        user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def pages(buyer: Buyer) -> dict[str, str]:
    return {"list": LIST, "account": f"{LIST}{buyer.account_id}/change/", "refund": f"{LIST}{buyer.account_id}/refund/"}


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        ("support", [200, 200, 200]),
        ("ops", [200, 200, 403]),
        ("moderator", [403, 403, 403]),
        ("partner", [403, 403, 403]),
        ("member", [302, 302, 302]),
        ("nobody", [302, 302, 302]),
    ],
)
def test_each_page_is_for_those_who_may(world: World, role: str, statuses: list[int]):
    buyer, browser = world.begin(), browser_of(role)
    assert [browser.get(address).status_code for address in pages(buyer).values()] == statuses


@pytest.mark.parametrize("role", ["ops", "moderator", "partner", "member", "nobody"])
def test_nobody_else_gives_money_back(world: World, role: str):
    buyer = world.buyer()
    world.settle()
    assert browser_of(role).post(pages(buyer)["refund"]).status_code in (302, 403)
    assert (buyer.agreement.status, buyer.tier) == ("active", "premium")


def test_support_sees_what_was_paid_and_gives_it_back(world: World):
    buyer, browser = world.buyer(), browser_of("support")
    world.settle()
    page = browser.get(pages(buyer)["account"]).content.decode()
    assert "6.99 EUR" in page
    assert "premium" in page
    assert buyer.customer_id in page

    assert "cannot be undone" in browser.get(pages(buyer)["refund"]).content.decode()
    answer = browser.post(pages(buyer)["refund"], follow=True)
    assert "6.99 is given back" in answer.content.decode()
    world.settle()
    assert (buyer.agreement.status, buyer.tier) == ("canceled", "free")
    assert LogEntry.objects.get().change_message == "Canceled; 6.99 is given back."
    assert "It grants nothing now." in browser.get(pages(buyer)["account"]).content.decode()


def test_stripe_away_is_said(world: World):
    buyer, browser = world.buyer(), browser_of("support")
    world.fake.fail(path="/v1/subscriptions", method="GET")
    assert "did not answer" in browser.post(pages(buyer)["refund"], follow=True).content.decode()
    assert "did not answer" in LogEntry.objects.get().change_message


def test_who_bought_nothing_gets_a_sentence(world: World):
    buyer, browser = world.begin(), browser_of("support")
    assert "Nothing was bought" in browser.post(pages(buyer)["refund"], follow=True).content.decode()


def test_ops_have_it_looked_up_again(world: World):
    buyer, browser = world.buyer(), browser_of("ops")
    browser.post(LIST, {"action": "look_up_again", "_selected_action": [str(buyer.account_id)]})
    world.work()
    assert buyer.tier == "premium"


def test_support_has_no_such_action(world: World):
    buyer, browser = world.buyer(), browser_of("support")
    browser.post(LIST, {"action": "look_up_again", "_selected_action": [str(buyer.account_id)]})
    assert buyer.account.rev == 0


def test_no_row_is_changed_by_hand(world: World):
    buyer, browser = world.begin(), browser_of("support")
    for address in (f"{LIST}add/", f"{LIST}{buyer.account_id}/delete/"):
        assert browser.get(address).status_code == 403
    changed: dict[str, Any] = {"user_id": "eve", "customer_id": "cus_x", "rev": 9}
    assert browser.post(pages(buyer)["account"], changed).status_code == 403
    assert buyer.account.rev == 0


def test_an_account_that_is_not_there(world: World):
    browser = browser_of("support")
    nothing = "00000000-0000-0000-0000-000000000000"
    assert browser.get(f"{LIST}{nothing}/refund/").status_code == 404
    assert browser.get(f"{LIST}{nothing}/change/").status_code == 302


def test_no_page_has_a_script_or_a_style_within(world: World):
    buyer, browser = world.buyer(), browser_of("support")
    world.settle()
    for address in pages(buyer).values():
        page = browser.get(address).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        assert "<script>" not in page


def test_the_ledger_has_no_pages_on_which_it_could_be_changed():
    assert [model for model in apps.get_app_config("djstripe").get_models() if admin.site.is_registered(model)] == []
