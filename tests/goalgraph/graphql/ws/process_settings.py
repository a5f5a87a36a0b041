"""Settings of web processes that tests start: the sample schema, and signing keys that the test shares."""

import os
from pathlib import Path

from goalgraph.settings.test import *  # noqa: F403

GRAPHQL_SCHEMA = "tests.goalgraph.graphql.ws.sample.schema"
RATE_LIMIT_BURST = 0
ISSUER_KEYS_DIR = Path(os.environ["SAMPLE_KEYS"])
PORTS["table"] = {"BACKEND": "goalgraph.table.memory.MemoryTable"}  # noqa: F405
