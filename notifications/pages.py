"""The pages that e-mails lead to. They need no sign-in, no cookie and no script: what their address holds is signed.

A GET changes nothing, for mail scanners and browsers fetch links ahead of their reader; the button's POST does, and the one that a mail
service sends by itself for `List-Unsubscribe` (RFC 8058, section 3.1).
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language_from_request
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications import address_services, unsubscribing
from notifications.mail_texts import frame, what
from notifications.texts import language_of

_METHODS = ("GET", "HEAD", "POST")


@never_cache
@csrf_exempt  # the token is in the address, and a mail service has no other
@require_http_methods(_METHODS)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    found = unsubscribing.read(token)
    if found is None:
        return _invalid(request)
    language = unsubscribing.language_of(found)
    about = what(language, found.kind)
    if request.method == "POST":
        unsubscribing.unsubscribe(found)
        return _page(request, language, frame(language, "unsubscribed_title"), frame(language, "unsubscribed", what=about))
    texts = frame(language, "unsubscribe_title"), frame(language, "unsubscribe_ask", what=about), frame(language, "unsubscribe_button")
    return _page(request, language, *texts)


@never_cache
@csrf_exempt  # as above
@require_http_methods(_METHODS)
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    if request.method == "POST":
        confirmed = address_services.confirm_email(token)
        if confirmed is None:
            return _invalid(request)
        address, language = confirmed
        return _page(request, language, frame(language, "confirmed_title"), frame(language, "confirmed", address=address))
    found = address_services.claimed_by(token)
    if found is None:
        return _invalid(request)
    _, claimed, language = found
    texts = frame(language, "confirm_title"), frame(language, "confirm_ask", address=claimed.address), frame(language, "confirm_button")
    return _page(request, language, *texts)


def _invalid(request: HttpRequest) -> HttpResponse:
    language = language_of(get_language_from_request(request))
    return _page(request, language, frame(language, "invalid_title"), frame(language, "invalid"), status=404)


def _page(request: HttpRequest, language: str, title: str, text: str, button: str = "", *, status: int = 200) -> HttpResponse:
    shown = {"language": language, "title": title, "text": text, "button": button}
    return render(request, "notifications/pages/page.html", shown, status=status)
