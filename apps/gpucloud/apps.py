from django.apps import AppConfig


class GpucloudConfig(AppConfig):
    name = "apps.gpucloud"
    label = "gpucloud"
