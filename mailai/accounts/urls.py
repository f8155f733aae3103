"""Addresses of the team, the audit log and one's own settings."""

from django.urls import URLPattern

app_name = "accounts"
urlpatterns: list[URLPattern] = []
