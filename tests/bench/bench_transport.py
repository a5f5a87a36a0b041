"""One GetItem of a profile: CPU of the client through our transport, PynamoDB's own and botocore's."""

import botocore.session
from django.conf import settings
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable

from goalgraph import wiring
from goalgraph.table import definition, keys
from tests.bench.report import Goal, heading, table
from tests.bench.stage import Stage
from tests.bench.timing import cpu_us, rows


def run(stage: Stage) -> list[Goal]:
    heading("transport: CPU of the client per GetItem")
    ours = wiring.port("table")
    key = keys.profile(stage.member.user_id)
    pynamodb = Connection(region=settings.AWS_REGION, host=settings.AWS_ENDPOINT_URL)
    pynamodb.add_meta_table(MetaTable(definition.create_table_request(ours.name)))
    plain = botocore.session.Session().create_client("dynamodb", region_name=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    works = {
        "our transport": lambda: ours.get(key, consistent=False),
        "PynamoDB": lambda: pynamodb.get_item(ours.name, key.pk, key.sk)["Item"],
        "botocore": lambda: plain.get_item(TableName=ours.name, Key=key.raw())["Item"],
    }
    if not works["our transport"]() == works["PynamoDB"]() == works["botocore"]():
        raise RuntimeError("the transports read different items")
    taken = cpu_us(works, calls=150)
    table(("", "us", "times"), rows(taken))
    return [Goal("transport: our GetItem / PynamoDB's", taken["our transport"] / taken["PynamoDB"], 0.6)]
