"""What the shop sells, with the history of stock and price."""

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from behaviour.models.uploads import PublishedManager, Upload


class Product(models.Model):
    """Something the shop sells."""

    sku = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=300, blank=True)
    # "Kitchen > Mugs": a path, broad first.
    category = models.CharField(max_length=200, blank=True, db_index=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    url = models.URLField(max_length=500, blank=True)
    # An absolute address, or a path below the storage ("products/…png").
    image = models.CharField(max_length=500, blank=True)
    # None = the shop does not count this product.
    stock = models.IntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    # {name: value}, as the catalogue gives them: colour, size, brand, tags.
    attributes = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True)
    # False while only events speak of it: "not in the catalogue yet".
    in_catalogue = models.BooleanField(default=True, db_default=True, db_index=True)
    # What the last look at the picture found: "" = not looked yet, "ok", else a code of behaviour.pictures.
    image_state = models.CharField(max_length=20, blank=True, default="", db_default="")
    image_checked_at = models.DateTimeField(null=True, blank=True)
    demo = models.BooleanField(default=False, db_index=True)
    # The file that made this row; its undo takes the row away again while nothing else hangs on it.
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    objects = PublishedManager()
    everything = models.Manager()  # noqa: DJ012 the default manager stands first

    def __str__(self) -> str:
        return self.name or self.sku


class StockChange(models.Model):
    """A product's stock and price from one moment on; makes "back in stock" and "price drop" events."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="stock_changes")
    at = models.DateTimeField(default=now)
    stock = models.IntegerField(null=True, blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        # The history of one product, newest first.
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["product", "at"], name="stockchange_product")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.at:%Y-%m-%d}"


class ProductChange(models.Model):
    """What a file, or the shop's own programs, changed of a product that was there; an undo goes back by it."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="changes")
    # None = the event API.
    upload = models.ForeignKey(Upload, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=now)
    # {field: value}, only those that changed, as behaviour.product_history names them.
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.product_id} {self.at:%Y-%m-%d}"
