"""Items made of a query's answer: our reader beside PynamoDB's own."""

from goalgraph import wiring
from goalgraph.table import keys
from goalgraph.table.items import CoreItem, from_raw
from tests.bench.report import Goal, heading, table
from tests.bench.stage import Stage
from tests.bench.timing import cpu_us, rows


def run(stage: Stage) -> list[Goal]:
    span = keys.home_of(stage.member.user_id)
    raws = wiring.table_adapter().query(span, limit=None, forward=True, consistent=False, start=None).items
    heading(f"items: CPU of making the home query's {len(raws)} items")
    ours = [from_raw(raw).attribute_values for raw in raws]
    theirs = [CoreItem._instantiate(raw).attribute_values for raw in raws]
    if ours != theirs:
        raise RuntimeError("from_raw and PynamoDB read different items")
    works = {"from_raw": lambda: list(map(from_raw, raws)), "PynamoDB": lambda: list(map(CoreItem._instantiate, raws))}
    taken = cpu_us(works, calls=50)
    table(("", "us", "times"), rows(taken))
    return [Goal("items: from_raw / PynamoDB", taken["from_raw"] / taken["PynamoDB"], 0.2)]
