"""Addresses of the catalogue. A product goes by the shop's own number, whatever letters that has."""

from urllib.parse import unquote

from django.urls import path, register_converter

from behaviour import catalogue_views


class SkuConverter:
    """A product's number as one part of an address; what would end the part or climb up is written as %XX."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Return the number."""
        return unquote(value)

    def to_url(self, value: str) -> str:
        """Return the part of the address."""
        escaped = value.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")
        return escaped.replace(".", "%2E") if not escaped.strip(".") else escaped


register_converter(SkuConverter, "sku")
urlpatterns = [
    path("", catalogue_views.products, name="products"),
    path("<sku:sku>/", catalogue_views.product, name="product"),
    path("<sku:sku>/switch/", catalogue_views.product_switch, name="product_switch"),
    path("<sku:sku>/picture/", catalogue_views.product_picture, name="product_picture"),
]
