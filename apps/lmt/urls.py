"""Pages under `/p/<project>/tune/`."""

from django.urls import path

from apps.lmt import views

app_name = "lmt"
urlpatterns = [
    path("", views.run_list, name="run_list"),
    path("new/", views.run_create, name="run_create"),
    path("<uuid:run>/", views.run_detail, name="run_detail"),
]
