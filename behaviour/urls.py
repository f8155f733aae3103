"""Addresses of this app."""

from django.urls import URLPattern

app_name = "behaviour"
urlpatterns: list[URLPattern] = []
