from django.apps import AppConfig


class MailaiConfig(AppConfig):
    name = "mailai"
