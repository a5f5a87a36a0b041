"""The groups of staff: each has exactly its permissions, from the migrations alone."""

import importlib

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection

pytestmark = pytest.mark.django_db

OURS = ["billing", "chat", "offers", "users"]
PARTNER = {"offers.view_company", "offers.view_membership", "offers.view_offer", "offers.add_offer", "offers.change_offer"}
MODERATOR = {
    "chat.view_case",
    "chat.view_caseaction",
    "chat.view_urgentcase",
    "chat.act_on_case",
    "offers.view_offer",
    "offers.review_offer",
}
SUPPORT = {"users.view_member", "billing.view_account", "billing.refund_account"}
OPS = {
    "auth.view_group",
    "auth.view_user",
    "users.view_member",
    "users.view_staffaction",
    "billing.view_account",
    "billing.repair_account",
    "chat.view_case",
    "chat.view_caseaction",
    "chat.view_urgentcase",
    "chat.act_on_case",
    "chat.act_on_escalated_case",
    "offers.view_company",
    "offers.add_company",
    "offers.change_company",
    "offers.view_membership",
    "offers.add_membership",
    "offers.change_membership",
    "offers.view_offer",
    "offers.review_offer",
}


def permissions_of(name: str) -> set[str]:
    rows = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
    return {f"{app_label}.{codename}" for app_label, codename in rows}


@pytest.mark.parametrize(("name", "permissions"), [("partner", PARTNER), ("moderator", MODERATOR), ("support", SUPPORT), ("ops", OPS)])
def test_each_group_has_exactly_its_permissions(name: str, permissions: set[str]) -> None:
    assert permissions_of(name) == permissions


def test_nobody_may_delete_or_make_themselves_more_than_they_are() -> None:
    given = set().union(*(permissions_of(name) for name in ("partner", "moderator", "support", "ops")))

    assert not {name for name in given if ".delete_" in name}
    assert not {name for name in given if name.startswith("auth.") and not name.startswith("auth.view_")}


def test_what_a_group_may_see_of_libraries_has_a_page() -> None:
    """Where we take a library's page away, as dj-stripe's, nobody keeps a permission for it."""
    pages = {(model._meta.app_label, model._meta.model_name) for model in admin.site._registry}
    given = Permission.objects.filter(group__isnull=False).exclude(content_type__app_label__in=OURS).select_related("content_type")

    assert {(one.content_type.app_label, one.content_type.model) for one in given} == {("auth", "group"), ("auth", "user")} & pages


def test_each_permission_that_is_ours_is_one_that_a_model_asks_for() -> None:
    """No permission of ours was forgotten: what the models of our apps ask for, some group has."""
    ours = Permission.objects.filter(content_type__app_label__in=OURS)
    asked = {f"{one.content_type.app_label}.{one.codename}" for one in ours.select_related("content_type")}

    assert asked - PARTNER - MODERATOR - SUPPORT - OPS == set()


def test_the_migration_run_again_changes_nothing_and_leaves_what_was_given_by_hand() -> None:
    extra = Permission.objects.get(content_type__app_label="auth", codename="view_group")
    Group.objects.get(name="support").permissions.add(extra)
    before = {name: permissions_of(name) for name in ("partner", "moderator", "support", "ops")}

    migration = importlib.import_module("users.migrations.0003_groups")
    migration.make_groups(apps, connection.schema_editor())

    assert {name: permissions_of(name) for name in before} == before
    assert "auth.view_group" in permissions_of("support")
