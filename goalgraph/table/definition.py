"""The one definition of the table: `create_table`, `doctor`, the in-memory adapter and Terraform all read it here."""

from dataclasses import dataclass

GSI_COUNT = 6


@dataclass(frozen=True, slots=True)
class Index:
    name: str
    pk: str
    sk: str


BASE = Index("", "PK", "SK")
INDEXES = {f"GSI{n}": Index(f"GSI{n}", f"GSI{n}PK", f"GSI{n}SK") for n in range(1, GSI_COUNT + 1)}
"""Global secondary indexes, each projecting all attributes; an item stands in one only while it has that index's keys."""

TTL_ATTRIBUTE = "ttl"
STREAM_VIEW = "NEW_AND_OLD_IMAGES"


def index(name: str | None) -> Index:
    return BASE if name is None else INDEXES[name]


def _key_schema(of: Index) -> list[dict[str, str]]:
    return [{"AttributeName": of.pk, "KeyType": "HASH"}, {"AttributeName": of.sk, "KeyType": "RANGE"}]


def create_table_request(name: str) -> dict[str, object]:
    """The parameters of DynamoDB's CreateTable; on-demand capacity, so that the bill follows use."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema(BASE),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"} for of in (BASE, *INDEXES.values()) for attribute in (of.pk, of.sk)
        ],
        "GlobalSecondaryIndexes": [
            {"IndexName": of.name, "KeySchema": _key_schema(of), "Projection": {"ProjectionType": "ALL"}} for of in INDEXES.values()
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
    }
