from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class AifsConfig(AppConfig):
    name = "aifs"
    label = "aifs"
    default = True

    def ready(self) -> None:
        """Makes the Celery application current, so that every process sends its bells to the right broker."""
        from aifs import celery  # noqa: F401


class DeskConfig(SimpleAdminConfig):
    """Django's admin as the operators' desk. `aifs/urls.py` loads its pages; other processes need none."""

    default_site = "aifs.desk.Desk"
