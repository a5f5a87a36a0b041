"""The addresses of a service whose members' issuer is somebody else's, such as Cognito."""

import importlib.util

from django.contrib import admin
from django.test import override_settings
from django.urls import include, path

with override_settings(OIDC_ISSUER="https://issuer.example"):
    _spec = importlib.util.find_spec("goalgraph.auth.issuer_urls")
    assert _spec
    assert _spec.loader
    _pages = importlib.util.module_from_spec(_spec)  # a second copy: the first was read when the issuer was the embedded one
    _spec.loader.exec_module(_pages)

urlpatterns = [path("admin/", admin.site.urls), path("", include(_pages))]
