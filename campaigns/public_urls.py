"""Addresses in mails: no login; short, signed, nothing to guess."""

from django.urls import path

from campaigns import public_views

urlpatterns = [
    path("o/<str:token>.gif", public_views.open_pixel, name="open"),
    path("c/<str:token>", public_views.click, name="click"),
    path("u/<str:token>", public_views.unsubscribe, name="unsubscribe"),
]
