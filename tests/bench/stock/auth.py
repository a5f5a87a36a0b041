"""A bearer token, checked by PyJWT."""

from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse


class BearerMiddleware:
    """Sets `request.user_id`; answers 401 to a token that is not good."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.key = load_pem_public_key(settings.JWT_PUBLIC_KEY.encode())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, self.key, algorithms=["RS256"], audience=settings.JWT_AUDIENCE, issuer=settings.JWT_ISSUER)
        except jwt.InvalidTokenError:
            return JsonResponse({"errors": [{"message": "Sign in."}]}, status=401)
        request.user_id = claims["sub"]
        return self.get_response(request)
