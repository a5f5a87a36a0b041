"""Settings of the hub's server: those of the other benchmarks, with a schema of its own."""

from tests.bench.settings import *  # noqa: F403

GRAPHQL_SCHEMA = "tests.bench.fanout.servers.schema"
LIVE_SWEEP_SECONDS = 3600.0
