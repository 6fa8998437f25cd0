"""Every address of the web process: pages, `/api/v1/`, schema and docs, admin, health."""

from importlib import import_module

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import module_has_submodule
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from apps.core.api import LineageView
from apps.core.views import docs, health, home, people
from apps.prompts.views.internal import PromptRenderView

PLACES = {
    "datasets": "p/<slug:project>/data/",
    "lms": "p/<slug:project>/models/",
    "lmt": "p/<slug:project>/tune/",
    "prompts": "p/<slug:project>/prompts/",
    "gpucloud": "p/<slug:project>/jobs/",
    "core": "",
}


def pages() -> list[URLPattern | URLResolver]:
    """Each app's pages at its place."""
    return [path(place, include(f"apps.{app}.urls")) for app, place in PLACES.items() if has(app, "urls")]


def api() -> SimpleRouter:
    """Each app's collections."""
    router = SimpleRouter()
    for app in PLACES:
        if has(app, "api"):
            import_module(f"apps.{app}.api").register(router)
    return router


def has(app: str, module: str) -> bool:
    """Not every app has pages and collections of its own."""
    return bool(module_has_submodule(import_module(f"apps.{app}"), module))


admin.autodiscover()
urlpatterns = [
    path("", home.home, name="home"),
    path("language/", people.set_language, name="set_language"),
    path("health/live", health.health_live, name="health_live"),
    path("health/ready", health.health_ready, name="health_ready"),
    path("account/email/", RedirectView.as_view(pattern_name="core:settings_profile"), name="account_email"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", docs.api_docs, name="api_docs"),
    path("api/v1/lineage/<slug:type>/<uuid:id>/", LineageView.as_view(), name="lineage"),
    path("api/v1/", include(api().urls)),
    path("internal/prompts/<slug:name>/render", PromptRenderView.as_view(), name="prompt_render"),
    *pages(),
]

handler400 = "apps.core.error_pages.bad_request"
handler403 = "apps.core.error_pages.permission_denied"
handler404 = "apps.core.error_pages.page_not_found"
handler429 = "apps.core.error_pages.too_many_requests"
handler500 = "apps.core.error_pages.server_error"
