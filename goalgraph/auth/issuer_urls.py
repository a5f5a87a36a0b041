"""The sign-in pages, and the embedded issuer's addresses: discovery, keys and the OAuth endpoints.

Staff sign in here whoever the members' issuer is, so the pages of a sign-in, of the second factor and of the password are always there.
Where the issuer is somebody else there is no sign-up and no member signs in; the issuer's own addresses are absent.

The root urlconf includes this at "": `path("", include("goalgraph.auth.issuer_urls"))`.
"""

import os

from allauth.account import views
from allauth.idp.oidc.views import authorization
from csp.decorators import csp_replace
from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from goalgraph.auth.access import issuer_is_embedded

urlpatterns: list[URLPattern | URLResolver] = [path("accounts/2fa/", include("allauth.mfa.urls"))]
if issuer_is_embedded():
    if settings.OIDC_ISSUER.startswith("http:"):
        # oauthlib answers browser applications (CORS) on https origins only, and one under development is on http://localhost.
        os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")
    urlpatterns += [
        path("accounts/", include("allauth.account.urls")),
        # Browsers apply `form-action` to the redirect that answers a form too, and consent leads back to the client's own address.
        path("identity/o/authorize", csp_replace({"form-action": None})(authorization)),
        path("", include("allauth.idp.urls")),
    ]
else:
    urlpatterns += [
        path("accounts/login/", RedirectView.as_view(pattern_name="admin:login", query_string=True), name="account_login"),
        path("accounts/logout/", views.logout, name="account_logout"),
        path("accounts/inactive/", views.account_inactive, name="account_inactive"),
        path("accounts/reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
        path("accounts/password/change/", views.password_change, name="account_change_password"),
    ]
