"""Addresses of this app."""

from django.urls import path

from recommender import views, views_outcomes

app_name = "recommender"
urlpatterns = [
    path("", views.models, name="models"),
    path("train/", views.train, name="train"),
    path("tune/", views.tune, name="tune"),
    path("tunings/<uuid:uuid>/", views.tuning_of, name="tuning"),
    path("tunings/<uuid:uuid>/end/", views.end_tuning, name="end_tuning"),
    path("progress/", views.progress, name="progress"),
    path("outcomes/", views_outcomes.card, name="outcomes"),
    path("try/", views.try_it, name="try"),
    path("<uuid:uuid>/promote/", views.promote, name="promote"),
]
