"""The web process: Django for HTTP, Channels for WebSockets."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aifs.settings")
http = get_asgi_application()

import aifs.urls  # noqa: E402, F401 (all pages are loaded before the first is asked for)
from apps.core.bodies import BoundedBodies  # noqa: E402 (needs Django set up)
from apps.core.sockets import ActorSocketMiddleware  # noqa: E402
from apps.gpucloud.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BoundedBodies(http),
        "websocket": ActorSocketMiddleware(URLRouter(websocket_urlpatterns)),
    }
)
