"""Addresses of the team, the audit log and one's own settings."""

from django.urls import path

from mailai.accounts import views

app_name = "accounts"
urlpatterns = [
    path("settings/team/", views.team, name="team"),
    path("settings/team/invite/", views.invite, name="invite"),
    path("settings/team/<int:pk>/", views.change_user, name="change_user"),
    path("settings/team/invitations/<uuid:uuid>/withdraw/", views.withdraw_invitation, name="withdraw_invitation"),
    path("settings/audit/", views.audit_log, name="audit"),
    path("settings/audit.csv", views.audit_export, name="audit_export"),
    path("settings/profile/", views.profile, name="profile"),
    path("invitation/<str:token>/", views.accept_invitation, name="accept_invitation"),
]
