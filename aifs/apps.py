from django.apps import AppConfig


class AifsConfig(AppConfig):
    name = "aifs"
    label = "aifs"

    def ready(self) -> None:
        """Makes the Celery application current, so that every process sends its bells to the right broker."""
        from aifs import celery  # noqa: F401
