"""Addresses of the whole house. Apps are named as strings only: the foundation imports none of them."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from mailai import health
from mailai.ui import views as ui_views

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("mailai.accounts.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("django-admin/", admin.site.urls),
    path("", include("analytics.urls")),
    path("", include("behaviour.urls")),
    path("segments/", include("segments.urls")),
    path("api/v1/", include("segments.api_urls")),
    path("recommender/", include("recommender.urls")),
    path("", include("campaigns.urls")),
    path("media/<path:name>", ui_views.media, name="media"),
    path("styleguide/", ui_views.styleguide, name="styleguide"),
]
if not settings.DEBUG:
    urlpatterns.pop()
handler404 = "mailai.ui.views.not_found"
handler500 = "mailai.ui.views.server_error"
