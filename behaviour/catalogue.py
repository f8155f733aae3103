"""What the shop can sell now."""

from django.db.models import Q, QuerySet

from behaviour.models import Product


def sellable() -> "QuerySet[Product]":
    """Return what a mail may show: active, in stock (or not counted), with a picture."""
    in_stock = Q(stock__isnull=True) | Q(stock__gt=0)
    return Product.objects.filter(in_stock, active=True).exclude(image="")
