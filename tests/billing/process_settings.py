"""Settings of processes that tests of billing start, on a file of SQL and a table of their own."""

import os

from goalgraph.settings.test import *  # noqa: F403

STRIPE_API_BASE = os.environ["STRIPE_API_BASE"]
STRIPE_WEBHOOK_SECRETS = [os.environ["SAMPLE_WEBHOOK_SECRET"]]
PORTS["payments"]["OPTIONS"] |= {"api_base": STRIPE_API_BASE, "secrets": STRIPE_WEBHOOK_SECRETS}  # noqa: F405
PORTS["table"]["BACKEND"] = "tests.billing.process_ports.DyingTable"  # noqa: F405
PORTS["jobs"] = {"BACKEND": "tests.billing.process_ports.InlineJobs"}  # noqa: F405
