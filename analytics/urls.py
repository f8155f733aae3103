"""Addresses of this app."""

from django.urls import path

from analytics.views import demo, report, search, shoppers, today

app_name = "analytics"
urlpatterns = [
    path("", today.today, name="today"),
    path("demo/load/", demo.load_demo, name="load_demo"),
    path("demo/load/progress/", demo.demo_progress, name="demo_progress"),
    path("shoppers/", shoppers.shoppers, name="shoppers"),
    path("shoppers/<str:pseudonym>/", shoppers.shopper, name="shopper"),
    path("shoppers/<str:pseudonym>/timeline/", shoppers.timeline, name="timeline"),
    path("shoppers/<str:pseudonym>/reveal/", shoppers.reveal, name="reveal"),
    path("campaigns/<uuid:uuid>/report/", report.report, name="report"),
    path("campaigns/<uuid:uuid>/report.csv", report.report_csv, name="report_csv"),
    path("search", search.search, name="search"),
]
