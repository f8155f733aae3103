"""Addresses of this app for programs, below /api/v1/."""

from django.urls import path

from behaviour import api_docs
from segments import api
from segments.api_operations import operations

urlpatterns = [
    path("segments", api.segments, name="api_segments"),
    path("segments/<uuid:uuid>", api.segment, name="api_segment"),
    path("segments/count", api.count, name="api_segment_count"),
    path("segments/schema", api.schema, name="api_segment_schema"),
]

# They are described on the page of the API beside those of the data.
for operation in operations():
    api_docs.register(operation)
