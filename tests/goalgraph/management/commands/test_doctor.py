"""`manage.py doctor`: a sentence for each thing that is wrong, what to do about it, and an exit code."""

import io

import pytest
from django.core.management import call_command
from django.test import override_settings

from goalgraph import health
from goalgraph.adapters.local.embedded import free_port
from goalgraph.feed import leases
from goalgraph.feed.consumers import consumers
from goalgraph.table.definition import create_table_request
from tests.goalgraph.test_health import table_at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_hurries(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 30)


def examined() -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", stdout=out, no_color=True)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def endpoint(dynamo_table) -> str:
    return dynamo_table.connection.client.meta.endpoint_url


def test_a_good_instance_has_nothing_to_repair(dynamo_table):
    search = {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch"}
    with override_settings(PORTS=table_at(endpoint(dynamo_table), dynamo_table.name) | {"search": search}):
        for consumer in consumers():
            leases.take(consumer, "shard-of-doctor", leases.stored(consumer).get("shard-of-doctor"), "me")
        code, said = examined()
    assert code == 0, said
    assert "feed: dispatch keeps up" in said
    assert said.endswith("All is well.\n")
    assert "has its keys, indexes, stream and expiry" in said
    assert "search: answers" in said
    assert "off the table's server" in said
    assert not [line for line in said.splitlines() if line.startswith(("fail", "warn"))]


def test_a_feed_that_was_never_started_or_is_behind_is_told(memory_world):
    _, said = examined()
    assert "warn  feed: dispatch was never read for" in said
    assert leases.take("dispatch", "shard-0", None, "me")
    memory_world.advance(minutes=3)
    _, said = examined()
    assert "warn  feed: dispatch is 180 s behind" in said
    assert "warn  feed: audit was never read for" in said


def test_a_missing_table_comes_with_the_command_that_makes_it(dynamo_table):
    with override_settings(PORTS=table_at(endpoint(dynamo_table), "gg_missing")):
        code, said = examined()
    assert code == 1
    assert "fail  table: gg_missing does not exist\n        Run `manage.py create_table`." in said


def test_a_table_that_lacks_something_is_described(dynamo_table):
    request = create_table_request("gg_partial")
    indexes = request["GlobalSecondaryIndexes"][:2]
    keys = {key["AttributeName"] for index in indexes for key in index["KeySchema"]} | {"PK", "SK"}
    attributes = [each for each in request["AttributeDefinitions"] if each["AttributeName"] in keys]
    request |= {"GlobalSecondaryIndexes": indexes, "AttributeDefinitions": attributes}
    del request["StreamSpecification"]
    dynamo_table.connection.dispatch("CreateTable", request)
    try:
        with override_settings(PORTS=table_at(endpoint(dynamo_table), "gg_partial")):
            code, said = examined()
    finally:
        dynamo_table.connection.dispatch("DeleteTable", {"TableName": "gg_partial"})
    assert code == 1
    for missing in ("index GSI3 is missing", "index GSI6 is missing", "its stream is not NEW_AND_OLD_IMAGES", "items do not expire by ttl"):
        assert missing in said


def test_services_that_are_down_are_failures_and_the_rest_is_still_examined():
    down = f"http://127.0.0.1:{free_port()}"
    with override_settings(PORTS=table_at(down), REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        code, said = examined()
    assert code == 1
    assert "fail  redis: Redis does not answer" in said
    assert "fail  table: " in said
    assert "Check REDIS_URL." in said
    assert "all migrations are applied" in said


def test_no_issuer_means_that_nobody_can_sign_in(memory_world):
    with override_settings(OIDC_ISSUER=""):
        code, said = examined()
    assert code == 1
    assert "OIDC_ISSUER is not set" in said
