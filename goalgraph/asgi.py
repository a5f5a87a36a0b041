"""The ASGI application: `uvicorn --lifespan off --no-access-log goalgraph.asgi:application`, with the WebSocket flags of the Procfile."""

import os

import django
from channels.routing import ProtocolTypeRouter

from goalgraph.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.production")
django.setup(set_prefix=False)

from goalgraph.graphql.ws.server import application as websocket  # noqa: E402 - it reads settings

application = ProtocolTypeRouter({"http": Handler(), "websocket": websocket})
