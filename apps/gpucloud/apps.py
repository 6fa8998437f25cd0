from django.apps import AppConfig


class GpucloudConfig(AppConfig):
    name = "apps.gpucloud"
    label = "gpucloud"

    def ready(self) -> None:
        from apps.gpucloud.handlers import register
        from apps.gpucloud.jobs import GpucloudHandler

        register(GpucloudHandler())
