"""Addresses of this app."""

from django.urls import path

from segments import cluster_views, list_views, overlap_views, prediction_views, stage_views, views

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
    path("lists/", list_views.all_lists, name="lists"),
    path("lists/new/", list_views.new, name="list_new"),
    path("lists/<uuid:uuid>/", list_views.detail, name="list_detail"),
    path("lists/<uuid:uuid>/column/", list_views.column, name="list_column"),
    path("lists/<uuid:uuid>/rename/", list_views.rename, name="list_rename"),
    path("lists/<uuid:uuid>/delete/", list_views.delete, name="list_delete"),
    path("lists/<uuid:uuid>/export/", list_views.export, name="list_export"),
    path("lists/<uuid:uuid>/segment/", list_views.make_segment, name="list_segment"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/know/", views.know, name="know"),
    path("<uuid:uuid>/exact/", views.exact, name="exact"),
    path("<uuid:uuid>/edit/", views.edit, name="edit"),
    path("<uuid:uuid>/alert/dismiss/", views.dismiss_alert, name="dismiss_alert"),
    path("<uuid:uuid>/duplicate/", views.duplicate, name="duplicate"),
    path("<uuid:uuid>/freeze/", list_views.freeze, name="freeze"),
    path("<uuid:uuid>/export/", list_views.export_segment, name="export"),
    path("<uuid:uuid>/delete/", views.delete, name="delete"),
]
