"""Addresses of this app."""

from django.urls import path

from behaviour import demo_views, shop_views

app_name = "behaviour"
urlpatterns = [
    path("settings/shop/", shop_views.shop_settings, name="shop"),
    path("demo/load/", demo_views.load_demo, name="load_demo"),
    path("demo/remove/", demo_views.remove_demo, name="remove_demo"),
    path("demo-shop/<slug:sku>/", demo_views.product, name="demo_product"),
]
