"""WebSocket addresses."""

from django.urls import path

from apps.gpucloud.consumers import JobConsumer

websocket_urlpatterns = [path("ws/jobs/<uuid:job>/", JobConsumer.as_asgi())]
