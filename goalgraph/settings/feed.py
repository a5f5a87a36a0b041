"""Settings of what the change feed writes to (docs/audit.md, docs/events/README.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

import environ

_env = environ.Env()

EVENT_BUS_NAME = _env.str("EVENT_BUS_NAME", "goalgraph")
"""The bus of EventBridge on which events are published."""
AUDIT_BUCKET = _env.str("AUDIT_BUCKET", "goalgraph-audit")
"""The bucket of S3 that holds the audit log. Names of buckets are the whole world's, so production has to choose one."""
