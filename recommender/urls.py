"""Addresses of this app."""

from django.urls import URLPattern

app_name = "recommender"
urlpatterns: list[URLPattern] = []
