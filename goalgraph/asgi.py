"""The ASGI application: `uvicorn --lifespan off --no-access-log goalgraph.asgi:application`."""

import os

import django
from channels.routing import ProtocolTypeRouter

from goalgraph.handler import Handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.production")
django.setup(set_prefix=False)

application = ProtocolTypeRouter({"http": Handler()})
