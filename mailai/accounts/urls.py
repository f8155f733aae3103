"""Addresses of the team, the audit log and one's own settings."""

from django.urls import path

from mailai.accounts import apikey_views, views

app_name = "accounts"
urlpatterns = [
    path("settings/team/", views.team, name="team"),
    path("settings/team/invite/", views.invite, name="invite"),
    path("settings/team/<int:pk>/", views.change_user, name="change_user"),
    path("settings/team/invitations/<uuid:uuid>/withdraw/", views.withdraw_invitation, name="withdraw_invitation"),
    path("settings/audit/", views.audit_log, name="audit"),
    path("settings/audit.csv", views.audit_export, name="audit_export"),
    path("settings/api/", apikey_views.api_keys, name="api_keys"),
    path("settings/api/new/", apikey_views.create_api_key, name="create_api_key"),
    path("settings/api/<uuid:uuid>/revoke/", apikey_views.revoke_api_key, name="revoke_api_key"),
    path("settings/api/<uuid:uuid>/snippet/", apikey_views.api_snippet, name="api_snippet"),
    path("settings/api/<uuid:uuid>/last/", apikey_views.api_last_event, name="api_last_event"),
    path("settings/profile/", views.profile, name="profile"),
    path("invitation/<str:token>/", views.accept_invitation, name="accept_invitation"),
]
