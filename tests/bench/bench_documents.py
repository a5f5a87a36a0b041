"""The home query's document: found in the cache, and parsed, weighed and validated."""

from goalgraph.graphql.execution import documents
from tests.bench.report import Goal, heading, table
from tests.bench.stage import Stage
from tests.bench.timing import cpu_us, rows
from tests.bench.world import HOME


def run(stage: Stage) -> list[Goal]:
    heading("documents: CPU until a GraphQL document may run")
    cache = documents()
    cache.prepare(HOME)
    table(("", "us", "times"), rows(cpu_us({"known": lambda: cache.find(HOME), "unknown": lambda: cache.prepare(HOME)}, calls=100)))
    return []
