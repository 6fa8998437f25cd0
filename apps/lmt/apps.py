from django.apps import AppConfig


class LmtConfig(AppConfig):
    name = "apps.lmt"
    label = "lmt"
