"""Pages under `/p/<project>/prompts/`."""

from django.urls import path

from apps.prompts.views import prompts, services, versions

app_name = "prompts"
urlpatterns = [
    path("", prompts.prompt_list, name="prompt_list"),
    path("new/", prompts.prompt_create, name="prompt_create"),
    path("services/", services.service_list, name="service_list"),
    path("services/<slug:name>/", services.service_detail, name="service_detail"),
    path("services/<slug:name>/switch/", services.service_switch, name="service_switch"),
    path("services/<slug:name>/enable/", services.service_enable, name="service_enable"),
    path("services/<slug:name>/delete/", services.service_delete, name="service_delete"),
    path("services/<slug:name>/chat/", services.service_chat, name="service_chat"),
    path("services/<slug:name>/ask/", services.service_ask, name="service_ask"),
    path("e/<slug:name>/", prompts.prompt_detail, name="prompt_detail"),
    path("e/<slug:name>/save/", versions.version_create, name="version_create"),
    path("e/<slug:name>/check/", prompts.prompt_check, name="prompt_check"),
    path("e/<slug:name>/test/", prompts.prompt_test, name="prompt_test"),
    path("e/<slug:name>/delete/", prompts.prompt_delete, name="prompt_delete"),
    path("e/<slug:name>/versions/", versions.version_list, name="version_list"),
    path("e/<slug:name>/versions/<int:number>/", versions.version_detail, name="version_detail"),
    path("e/<slug:name>/versions/<int:number>/publish/", versions.version_publish, name="version_publish"),
]
