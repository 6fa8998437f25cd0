"""Pages under `/p/<project>/jobs/`."""

from django.urls import path

from apps.gpucloud import views

app_name = "gpucloud"
urlpatterns = [
    path("", views.job_list, name="job_list"),
    path("new/<str:kind>/", views.job_create, name="job_create"),
    path("new/<str:kind>/estimate/", views.job_estimate, name="job_estimate"),
    path("cancel/", views.job_cancel_many, name="job_cancel_many"),
    path("nodes/", views.node_list, name="node_list"),
    path("nodes/cluster/", views.cluster, name="cluster"),
    path("compare/", views.job_compare, name="job_compare"),
    path("<uuid:job>/", views.job_detail, name="job_detail"),
    path("<uuid:job>/log/", views.job_log, name="job_log"),
    path("<uuid:job>/samples/", views.job_samples, name="job_samples"),
    path("<uuid:job>/cancel/", views.job_cancel, name="job_cancel"),
    path("<uuid:job>/retry/", views.job_retry, name="job_retry"),
    path("<uuid:job>/resume/", views.job_resume, name="job_resume"),
    path("<uuid:job>/reproduce/", views.job_reproduce, name="job_reproduce"),
    path("<uuid:job>/publish/", views.job_publish, name="job_publish"),
    path("<uuid:job>/clone/", views.job_clone, name="job_clone"),
]
