"""The app that stands for `django.contrib.admin` in INSTALLED_APPS, so that `admin.site` is ours."""

from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    default_site = "goalgraph.backoffice.site.BackOfficeSite"

    def ready(self) -> None:
        super().ready()
        from goalgraph.backoffice import receivers  # noqa: F401 - connects them
