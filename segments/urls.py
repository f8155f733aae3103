"""Addresses of this app."""

from django.urls import path

from segments import prediction_views, views

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("new/", views.new, name="new"),
    path("count/", views.count, name="count"),
    path("starter/", views.starter, name="starter"),
    path("predictions/", prediction_views.model_card, name="predictions"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/edit/", views.edit, name="edit"),
    path("<uuid:uuid>/duplicate/", views.duplicate, name="duplicate"),
    path("<uuid:uuid>/delete/", views.delete, name="delete"),
]
