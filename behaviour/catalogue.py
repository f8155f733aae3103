"""The catalogue: what the shop can sell now, the list of all products, and what became of one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.timezone import now

from behaviour.models import Event, Product, ProductChange, StockChange
from mailai.accounts import audit

RECENT_DAYS, WEEKS, MOST_CHANGES = 90, 26, 500

# A reader of a mail would see a hole. A host that was away for a day, or a large file, is no reason to sell less.
BROKEN_PICTURES = ("missing", "not_found", "not_an_image", "refused_address")
NO_PICTURE = Q(image="") | Q(image_state__in=(*BROKEN_PICTURES, "too_small", "too_large", "unreachable"))
# What the list can be narrowed to.
SHOWN = {
    "in_stock": Q(active=True) & (Q(stock__isnull=True) | Q(stock__gt=0)),
    "out_of_stock": Q(stock__lte=0),
    "inactive": Q(active=False),
    "unknown": Q(in_catalogue=False),
    "picture": NO_PICTURE & Q(in_catalogue=True),
}
SORTS: dict[str, tuple[Any, ...]] = {
    "newest": ("-pk",),
    "name": ("name", "pk"),
    "price": (F("price").desc(nulls_last=True), "pk"),
    "stock": (F("stock").asc(nulls_last=True), "pk"),
}
# The condition of the index over bought products, in its own words and alone, or another index is taken: SQLite does
# not know what a parameter will be, so the kinds stand in the statement itself.
BOUGHT: Any = RawSQL("\"kind\" IN ('purchase', 'refund')", (), BooleanField())
ORDERED = Q(kind=Event.Kind.PURCHASE)


@dataclass(frozen=True)
class Filters:
    """What the list of products is narrowed to."""

    words: str = ""
    show: str = ""
    sort: str = "newest"


def sellable() -> "QuerySet[Product]":
    """Return what a mail may show: active, in stock (or not counted), with a picture that is not known to be broken."""
    in_stock = Q(stock__isnull=True) | Q(stock__gt=0)
    found = Product.objects.filter(in_stock, active=True)
    return found.exclude(image="").exclude(image_state__in=BROKEN_PICTURES)


def listed(filters: Filters) -> "QuerySet[Product]":
    """Return the products that fit; one query, counted by the pager with a second one.

    Words look into name, number and category. No index serves letters in the middle of a name in both databases, so a
    search reads the table: a tenth of a second with 100,000 products, a second with a million. The list without words
    walks the primary key.
    """
    found = Product.objects.filter(SHOWN[filters.show]) if filters.show else Product.objects.all()
    if filters.words:
        word = filters.words
        found = found.filter(Q(name__icontains=word) | Q(sku__istartswith=word) | Q(category__icontains=word))
    return found.order_by(*SORTS[filters.sort])


def recent_orders(product_ids: Collection[int]) -> dict[int, int]:
    """Count the orders of each product in the last 90 days, in one query.

    The database is led from product to product: asked for all at once, SQLite reads every order of those days.
    """
    since = now() - timedelta(days=RECENT_DAYS)
    bought = Event.objects.filter(BOUGHT, product=OuterRef("pk"), at__gte=since).order_by().values("product")
    named = Count("order_ref", distinct=True, filter=ORDERED & ~Q(order_ref=""))
    unnamed = Count("pk", filter=ORDERED & Q(order_ref=""))
    counted = Subquery(bought.annotate(n=named + unnamed).values("n"))
    rows = Product.objects.filter(pk__in=product_ids).order_by().values_list("pk").annotate(n=counted)
    return {product: n for product, n in rows if n}


def orders_by_week(product: Product) -> list[tuple[datetime, int]]:
    """Return the start of each of the last 26 weeks and how many pieces were ordered in it, oldest first."""
    since = timezone.localtime() - timedelta(weeks=WEEKS - 1)
    first = (since - timedelta(days=since.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    bought = Event.objects.filter(BOUGHT, product=product, at__gte=first)
    rows = bought.order_by().values_list(TruncWeek("at")).annotate(n=Sum("quantity", filter=ORDERED, default=0))
    counted = {start.date(): n for start, n in rows}
    weeks = [first + timedelta(weeks=week) for week in range(WEEKS)]
    return [(week, counted.get(week.date(), 0)) for week in weeks]


def history(product: Product) -> list[StockChange]:
    """Return how stock and price changed, oldest first; the newest 500 changes."""
    return list(StockChange.objects.filter(product=product).order_by("-at", "-pk")[:MOST_CHANGES])[::-1]


def last_change(product: Product) -> ProductChange | None:
    """Return what a file or the API changed of a product last."""
    return ProductChange.objects.filter(product=product).select_related("upload").order_by("-pk").first()


def switch(product: Product, *, active: bool, by: Any) -> None:
    """Let a product be picked, or keep it out of every email."""
    if product.active == active:
        return
    Product.objects.filter(pk=product.pk).update(active=active)
    product.active = active
    audit.record("product.activate" if active else "product.deactivate", product, by=by, sku=product.sku)
