"""Pages under `/p/<project>/data/`."""

from django.urls import path

from apps.datasets.views import cleaning, datasets, imports, versions

app_name = "datasets"
urlpatterns = [
    path("", datasets.dataset_list, name="dataset_list"),
    path("import/", imports.import_create, name="import_create"),
    path("import/preview/", imports.import_preview, name="import_preview"),
    path("import/samples/", imports.sample_import, name="sample_import"),
    path("sets/<uuid:dataset>/", datasets.dataset_detail, name="dataset_detail"),
    path("sets/<uuid:dataset>/edit/", datasets.dataset_update, name="dataset_update"),
    path("sets/<uuid:dataset>/delete/", datasets.dataset_delete, name="dataset_delete"),
    path("<uuid:version>/", versions.version_detail, name="version_detail"),
    path("<uuid:version>/rows/", versions.version_rows, name="version_rows"),
    path("<uuid:version>/quarantine/", versions.version_quarantine, name="version_quarantine"),
    path("<uuid:version>/dropped/", versions.version_dropped, name="version_dropped"),
    path("<uuid:version>/lineage/", versions.version_lineage, name="version_lineage"),
    path("<uuid:version>/export/", versions.version_export, name="version_export"),
    path("<uuid:version>/clean/", cleaning.clean_create, name="clean_create"),
    path("<uuid:version>/clean/preview/", cleaning.clean_preview, name="clean_preview"),
]
