from django.apps import AppConfig


class UiConfig(AppConfig):
    name = "mailai.ui"
    label = "ui"
