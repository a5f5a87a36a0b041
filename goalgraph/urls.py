"""Addresses. The API's are fixed paths (goalgraph.api); the rest are HTML pages behind Django's own middleware."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from goalgraph.api import VIEWS

urlpatterns = [
    *(path(address.removeprefix("/"), view, name=address.removeprefix("/")) for address, view in VIEWS.items()),
    path("admin/", admin.site.urls),
    path("notifications/", include("notifications.page_urls")),
    path("stripe/", include("billing.webhook_urls")),
    path("o/", include("offers.page_urls")),
    path("", include("goalgraph.auth.issuer_urls")),
]
if settings.DEBUG:  # whoever opens the bare address of `make run` finds GraphiQL
    urlpatterns.append(path("", RedirectView.as_view(url="/graphql")))
