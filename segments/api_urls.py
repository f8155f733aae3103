"""Addresses of this app for programs, below /api/v1/."""

from django.urls import path

from segments import api

urlpatterns = [
    path("segments", api.segments, name="api_segments"),
    path("segments/count", api.count, name="api_segment_count"),
    path("segments/schema", api.schema, name="api_segment_schema"),
]
