"""Addresses of this app."""

from campaigns.public_urls import urlpatterns as public_patterns

app_name = "campaigns"
urlpatterns = [*public_patterns]
