from django.apps import AppConfig
from django.core.checks.registry import registry


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        """Two of dj-stripe's checks read SQL wherever checks run. They are about webhook endpoints of its own, of which there are none."""
        from djstripe import checks

        registry.registered_checks -= {checks.check_webhook_validation, checks.check_webhook_endpoint_has_secret}
