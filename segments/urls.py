"""Addresses of this app."""

from django.urls import path

from segments import cluster_views, overlap_views, prediction_views, stage_views, views

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("new/", views.new, name="new"),
    path("count/", views.count, name="count"),
    path("groups/", cluster_views.groups, name="groups"),
    path("groups/<int:number>/name/", cluster_views.rename, name="group_rename"),
    path("groups/<int:number>/segment/", cluster_views.make_segment, name="group_segment"),
    path("overlap/", overlap_views.overlap, name="overlap"),
    path("overlap/segment/", overlap_views.make_segment, name="overlap_segment"),
    path("migration/", stage_views.migration, name="migration"),
    path("migration/shoppers/", stage_views.people, name="migration_people"),
    path("migration/segment/", stage_views.make_segment, name="migration_segment"),
    path("starter/", views.starter, name="starter"),
    path("predictions/", prediction_views.model_card, name="predictions"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/know/", views.know, name="know"),
    path("<uuid:uuid>/edit/", views.edit, name="edit"),
    path("<uuid:uuid>/alert/dismiss/", views.dismiss_alert, name="dismiss_alert"),
    path("<uuid:uuid>/duplicate/", views.duplicate, name="duplicate"),
    path("<uuid:uuid>/delete/", views.delete, name="delete"),
]
