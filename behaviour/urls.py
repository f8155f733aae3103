"""Addresses of this app."""

from django.urls import include, path

from behaviour import api, api_docs, demo_views, merge_views, quality_views, shop_views, upload_run_views, upload_views
from behaviour.converters import PSEUDONYM

app_name = "behaviour"
urlpatterns = [
    path(
        "data/imports/",
        include(
            [
                path("", upload_views.imports, name="imports"),
                path("new/", upload_views.import_new, name="import_new"),
                path("template/<slug:kind>.csv", upload_views.import_template, name="import_template"),
                path("<uuid:uuid>/", upload_run_views.import_run, name="import_run"),
                path("<uuid:uuid>/columns/", upload_views.import_columns, name="import_columns"),
                path("<uuid:uuid>/reading/", upload_views.import_reading, name="import_reading"),
                path("<uuid:uuid>/forget/", upload_views.import_forget, name="import_forget"),
                path("<uuid:uuid>/check/", upload_views.import_check, name="import_check"),
                path("<uuid:uuid>/cleaning/", upload_views.import_cleaning, name="import_cleaning"),
                path("<uuid:uuid>/quality/", quality_views.import_quality, name="import_quality"),
                path("<uuid:uuid>/rejects.csv", upload_run_views.import_rejects, name="import_rejects"),
                path("<uuid:uuid>/resume/", upload_run_views.import_resume, name="import_resume"),
                path("<uuid:uuid>/undo/", upload_run_views.import_undo, name="import_undo"),
                path("<uuid:uuid>/cancel/", upload_run_views.import_cancel, name="import_cancel"),
            ]
        ),
    ),
    path("data/products/", include("behaviour.catalogue_urls")),
    path(
        "api/v1/",
        include(
            [
                path("events", api.events, name="api_events"),
                path("shoppers", api.shoppers, name="api_shoppers"),
                path("products", api.products, name="api_products"),
                path("openapi.json", api_docs.openapi_json, name="api_openapi"),
                path("mailai.js", api_docs.snippet, name="api_snippet"),
                path("docs", api_docs.docs, name="api_docs"),
            ]
        ),
    ),
    path("data/merges/", merge_views.merges, name="merges"),
    path("data/merges/<uuid:uuid>/undo/", merge_views.merge_undo, name="merge_undo"),
    path(f"data/merges/with/{PSEUDONYM}/", merge_views.merge_with, name="merge_with"),
    path("data/quality/", quality_views.quality, name="quality"),
    path("settings/shop/", shop_views.shop_settings, name="shop"),
    path("demo/remove/", demo_views.remove_demo, name="remove_demo"),
    path("demo-shop/<slug:sku>/", demo_views.product, name="demo_product"),
]
