from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "mailai.accounts"
    label = "accounts"
