"""What predictions read over all shoppers: numbers in arrays, fetched in chunks so that no row stays an object."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from django.db.models import Count, Exists, F, FloatField, Max, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Cast

from behaviour.models import Event, Product, Shop
from behaviour.moments import Epoch
from mailai.chunks import chunks
from segments import reading
from segments.core import features
from segments.core.categories import Habits
from segments.core.order_book import OrderBook, make_book

CHUNK = 50_000
ID_CHUNK = 2_000
DAY = 86_400.0
ACTIVITY_DAYS = 90
# Shoppers of a sample, at most: what trees learn from, what they are tried on.
SAMPLE = 100_000
SEEN = (Event.Kind.VIEW, Event.Kind.CART)


def day_number(moment: datetime) -> float:
    """Return days since 1970."""
    return moment.timestamp() / DAY


def moment_of(day: float) -> datetime:
    """Return the moment of a day number."""
    return datetime.fromtimestamp(day * DAY, UTC)


def read_book(as_of: datetime) -> OrderBook:
    """Return all orders and refunds before a moment.

    Lines with an order reference are one order; those without are one order per day of the shop. Two grouped queries
    and one of refunds.
    """
    events = Event.objects.filter(at__lt=as_of).order_by()
    bought = events.filter(kind=Event.Kind.PURCHASE)
    money = Cast(Sum("amount"), FloatField())
    keyed = bought.exclude(order_ref="").values("shopper_id", "order_ref")
    parts = [
        columns(keyed.annotate(first=Epoch(Min("at")), money=money).values_list("shopper_id", "first", "money")),
        _days(
            columns(bought.filter(order_ref="").values_list("shopper_id", Epoch(F("at")), Cast("amount", FloatField())))
        ),
    ]
    returned = events.filter(kind=Event.Kind.REFUND)
    parts.append(columns(returned.values_list("shopper_id", Epoch(F("at")), Cast("amount", FloatField()))))
    refund = np.repeat([False, False, True], [len(part) for part in parts])
    rows = np.concatenate(parts)
    return make_book(rows[:, 0].astype(np.int64), rows[:, 1] / DAY, rows[:, 2], refund)


def columns(rows: QuerySet[Any, Any], width: int = 3) -> np.ndarray:
    """Return rows of numbers as a float array of shape (n, width); null is NaN. Ids below 2**53 stay exact."""
    parts = [np.array(chunk, float) for chunk in chunks(rows.iterator(chunk_size=CHUNK), CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, width))


def _days(lines: np.ndarray) -> np.ndarray:
    """Put lines without a reference together by shopper and day of the shop."""
    if not len(lines):
        return lines
    frame = pl.DataFrame(lines, schema=["shopper", "at", "money"], orient="row")
    local = pl.from_epoch(pl.col("at").cast(pl.Int64)).dt.replace_time_zone("UTC")
    local = local.dt.convert_time_zone(str(Shop.current().zone)).dt.date()
    orders = frame.group_by("shopper", local.alias("day")).agg(pl.col("at").min(), pl.col("money").sum())
    return orders.select("shopper", "at", "money").to_numpy()


def activity(at: float, shoppers: np.ndarray) -> np.ndarray:
    """Return what shoppers did in the 90 days before a moment, as `features.ACTIVITY`; one grouped query.

    Where it is asked of a sample, nobody else's events are put together: a third of the time at a million shoppers.

    Parameters
    ----------
    at : float, days since 1970
    shoppers : int64 array of shape (n,), ids, ascending
    """
    found = features.no_activity(len(shoppers))
    end = moment_of(at)
    since_30d = Q(at__gte=end - timedelta(days=30))
    kinds = (*SEEN, Event.Kind.EMAIL_OPEN, Event.Kind.EMAIL_CLICK)
    events = Event.objects.filter(kind__in=kinds, at__gte=end - timedelta(days=ACTIVITY_DAYS), at__lt=end).order_by()
    if len(shoppers) <= SAMPLE:
        events = events.filter(shopper_id__in=reading.among(shoppers))
    viewed = Q(kind=Event.Kind.VIEW)
    figures = events.values("shopper_id").annotate(
        views_30=Count("pk", filter=viewed & since_30d),
        views_90=Count("pk", filter=viewed),
        carts_90=Count("pk", filter=Q(kind=Event.Kind.CART)),
        seen=Epoch(Max("at", filter=Q(kind__in=SEEN))),
        opens_90=Count("pk", filter=Q(kind=Event.Kind.EMAIL_OPEN)),
        clicks_90=Count("pk", filter=Q(kind=Event.Kind.EMAIL_CLICK)),
    )
    rows = figures.values_list("shopper_id", "views_30", "views_90", "carts_90", "seen", "opens_90", "clicks_90")
    for chunk in chunks(rows.iterator(chunk_size=CHUNK), CHUNK):
        part = np.array(chunk, float)
        places = np.searchsorted(shoppers, part[:, 0]).clip(0, max(len(shoppers) - 1, 0))
        known = shoppers[places] == part[:, 0] if len(shoppers) else np.zeros(len(part), bool)
        part[:, 4] = np.where(np.isnan(part[:, 4]), features.UNSEEN, at - part[:, 4] / DAY)
        found[places[known]] = part[known, 1:]
    return found


def category_names() -> list[str]:
    """Return the categories that anybody bought, by name; asks once for each product, not for each purchase."""
    bought = Exists(Event.objects.filter(kind=Event.Kind.PURCHASE, product=OuterRef("pk")))
    products = Product._base_manager.exclude(category="").filter(bought)
    return sorted(set(products.values_list("category", flat=True)))


def habits(shoppers: np.ndarray, n_orders: np.ndarray, names: Sequence[str], as_of: datetime) -> Habits:
    """Return in how many of her orders each shopper bought each category; one grouped query over all purchases."""
    place = {name: number for number, name in enumerate(names)}
    bought = Event.objects.filter(kind=Event.Kind.PURCHASE, at__lt=as_of, product__category__in=names).order_by()
    # Lines of one order were bought at one moment.
    counted = bought.values("shopper_id", "product__category").annotate(n=Count("at", distinct=True))
    rows = counted.values_list("shopper_id", "product__category", "n").iterator(chunk_size=CHUNK)
    pairs = [np.array([(who, place[name], n) for who, name, n in chunk], np.int64) for chunk in chunks(rows, CHUNK)]
    return make_habits(np.concatenate(pairs) if pairs else np.empty((0, 3), np.int64), shoppers, n_orders, len(names))


def make_habits(pairs: np.ndarray, shoppers: np.ndarray, n_orders: np.ndarray, n_categories: int) -> Habits:
    """Turn rows (shopper id, category, orders) into habits of the shoppers given."""
    places = np.searchsorted(shoppers, pairs[:, 0]).clip(0, max(len(shoppers) - 1, 0))
    known = shoppers[places] == pairs[:, 0] if len(shoppers) else np.zeros(len(pairs), bool)
    who, category = places[known], pairs[known, 1]
    count = np.minimum(pairs[known, 2], n_orders[who]).astype(float)
    share = np.bincount(category, weights=count, minlength=n_categories) / max(float(n_orders.sum()), 1.0)
    return Habits(who, category, count, n_orders, share)


def category_lines(shoppers: Sequence[int], names: Sequence[str], as_of: datetime) -> np.ndarray:
    """Return int64 rows (shopper id, category, seconds) of what some shoppers bought."""
    place = {name: number for number, name in enumerate(names)}
    parts = []
    for start in range(0, len(shoppers), ID_CHUNK):
        lines = Event.objects.filter(
            shopper_id__in=list(shoppers[start : start + ID_CHUNK]), kind=Event.Kind.PURCHASE, at__lt=as_of,
            product__category__in=names,
        ).order_by()  # fmt: skip
        rows = lines.values_list("shopper_id", "product__category", Epoch(F("at")))
        parts += [(who, place[name], at) for who, name, at in rows.iterator(chunk_size=CHUNK)]
    return np.array(parts, np.int64).reshape(-1, 3)
