from django.apps import AppConfig


class LmbConfig(AppConfig):
    name = "apps.lmb"
    label = "lmb"
