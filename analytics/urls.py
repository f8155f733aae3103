"""Addresses of this app."""

from django.urls import path

from analytics.views import demo, report, search, shopper_lists, shoppers, today
from behaviour.converters import PSEUDONYM

app_name = "analytics"
urlpatterns = [
    path("", today.today, name="today"),
    path("demo/load/", demo.load_demo, name="load_demo"),
    path("demo/load/progress/", demo.demo_progress, name="demo_progress"),
    path("shoppers/", shoppers.shoppers, name="shoppers"),
    path(f"shoppers/{PSEUDONYM}/", shoppers.shopper, name="shopper"),
    path(f"shoppers/{PSEUDONYM}/timeline/", shoppers.timeline, name="timeline"),
    path(f"shoppers/{PSEUDONYM}/reveal/", shoppers.reveal, name="reveal"),
    path(f"shoppers/{PSEUDONYM}/lists/add/", shopper_lists.add, name="list_add"),
    path(f"shoppers/{PSEUDONYM}/lists/<uuid:uuid>/remove/", shopper_lists.remove, name="list_remove"),
    path("campaigns/<uuid:uuid>/report/", report.report, name="report"),
    path("campaigns/<uuid:uuid>/report.csv", report.report_csv, name="report_csv"),
    path("search", search.search, name="search"),
]
