"""Pages under `/p/<project>/models/`."""

from django.urls import path

from apps.lms.views import deployments, evaluations, models, playground

app_name = "lms"
urlpatterns = [
    path("", models.model_list, name="model_list"),
    path("import/", models.model_import, name="model_import"),
    path("m/<str:name>/", models.model_detail, name="model_detail"),
    path("m/<str:name>/edit/", models.model_edit, name="model_edit"),
    path("m/<str:name>/delete/", models.model_delete, name="model_delete"),
    path("m/<str:name>/v/<int:number>/", models.version_detail, name="version_detail"),
    path("m/<str:name>/v/<int:number>/card/", models.version_card, name="version_card"),
    path("evaluations/", evaluations.evaluation_list, name="evaluation_list"),
    path("evaluations/new/", evaluations.evaluation_create, name="evaluation_create"),
    path("evaluations/<uuid:id>/", evaluations.evaluation_detail, name="evaluation_detail"),
    path("deployments/", deployments.deployment_list, name="deployment_list"),
    path("deployments/new/", deployments.deployment_create, name="deployment_create"),
    path("deployments/external/", deployments.deployment_connect, name="deployment_connect"),
    path("deployments/<slug:name>/", deployments.deployment_detail, name="deployment_detail"),
    path("deployments/<slug:name>/update/", deployments.deployment_update, name="deployment_update"),
    path("deployments/<slug:name>/start/", deployments.deployment_start, name="deployment_start"),
    path("deployments/<slug:name>/stop/", deployments.deployment_stop, name="deployment_stop"),
    path("deployments/<slug:name>/delete/", deployments.deployment_delete, name="deployment_delete"),
    path("playground/", playground.playground, name="playground"),
    path("playground/ask/", playground.playground_ask, name="playground_ask"),
]
