"""What the shop can sell now."""

from django.db.models import Q, QuerySet

from behaviour.models import Product

# A reader of a mail would see a hole. A host that was away for a day, or a large file, is no reason to sell less.
BROKEN_PICTURES = ("missing", "not_found", "not_an_image", "refused_address")


def sellable() -> "QuerySet[Product]":
    """Return what a mail may show: active, in stock (or not counted), with a picture that is not known to be broken."""
    in_stock = Q(stock__isnull=True) | Q(stock__gt=0)
    found = Product.objects.filter(in_stock, active=True)
    return found.exclude(image="").exclude(image_state__in=BROKEN_PICTURES)
