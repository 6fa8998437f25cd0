from django.apps import AppConfig


class ApsConfig(AppConfig):
    name = "apps.aps"
    label = "aps"
