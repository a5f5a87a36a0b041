"""Addresses. The API's are fixed paths (goalgraph.api); the rest are HTML pages behind Django's own middleware."""

from django.contrib import admin
from django.urls import include, path

from goalgraph.api import VIEWS

urlpatterns = [
    *(path(address.removeprefix("/"), view, name=address.removeprefix("/")) for address, view in VIEWS.items()),
    path("admin/", admin.site.urls),
    path("", include("goalgraph.auth.issuer_urls")),
]
