"""The embedded issuer's addresses: sign-in pages, discovery, keys and the OAuth endpoints. None where the issuer is somebody else.

The root urlconf includes this at "": `path("", include("goalgraph.auth.issuer_urls"))`.
"""

import os

from allauth.idp.oidc.views import authorization
from csp.decorators import csp_replace
from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from goalgraph.auth.access import issuer_is_embedded

urlpatterns: list[URLPattern | URLResolver] = []
if issuer_is_embedded():
    if settings.OIDC_ISSUER.startswith("http:"):
        # oauthlib answers browser applications (CORS) on https origins only, and one under development is on http://localhost.
        os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
    urlpatterns = [
        path("accounts/", include("allauth.account.urls")),
        # Browsers apply `form-action` to the redirect that answers a form too, and consent leads back to the client's own address.
        path("identity/o/authorize", csp_replace({"form-action": None})(authorization)),
        path("", include("allauth.idp.urls")),
    ]
