"""Who did something: querysets of shopper ids from events, one per condition."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    Field,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, TruncDate

from behaviour.models import Event, Product
from segments.rules.context import Context
from segments.rules.limits import ANSWERS, AT_LEAST_ONCE
from segments.rules.windows import bounds

LOOKUPS = {"=": "", ">=": "__gte", ">": "__gt", "<=": "__lte", "<": "__lt", "between": "__range"}
# What a profile knows of the last time; it was made from all events of the kind.
LAST = {
    Event.Kind.PURCHASE: "profile__last_order_at",
    Event.Kind.VIEW: "profile__last_view_at",
    Event.Kind.CART: "profile__last_cart_at",
    Event.Kind.EMAIL_OPEN: "profile__last_open_at",
    Event.Kind.EMAIL_CLICK: "profile__last_click_at",
}
# The condition of the index "event_bought", word for word: SQLite does not see that one kind is among the two.
TRADED = (Event.Kind.PURCHASE, Event.Kind.REFUND)
IN_TRADED = Func(F("kind"), template="%(expressions)s IN ('purchase', 'refund')", output_field=BooleanField())
Comparison = tuple[str, str, Any]


def times(rule: Mapping[str, Any]) -> tuple[str, int]:
    """Return how often a condition asks for."""
    asked = rule.get("times", AT_LEAST_ONCE)
    return asked["op"], asked["n"]


def in_profile(rule: Mapping[str, Any], context: Context) -> Comparison | None:
    """Return the comparison of a profile column that answers the same, as (path, lookup, limit); None where none does.

    Conditions without filters touch many shoppers and most events: a column answers them 30 to 60 times as fast.
    """
    if rule.get("where"):
        return None
    op, n = times(rule)
    start, end = bounds(rule.get("within"), context.now, None if _rolling(rule) else context.zone)
    ordered = rule["did"] == Event.Kind.PURCHASE
    if ordered and start is None and end is None:
        return "profile__n_orders", LOOKUPS[op], n
    if (op, n) != (">=", 1):
        return None
    if ordered and start is None:
        return "profile__first_order_at", "__lt", end
    if end is None and rule["did"] in LAST:
        path = LAST[rule["did"]]
        return (path, "__isnull", False) if start is None else (path, "__gte", start)
    return None


def shoppers(rule: Mapping[str, Any], context: Context, op: str, n: int) -> "QuerySet[Any]":
    """Return the ids of those who did it at least, or exactly, n times; n is at least 1."""
    found, counted, _moment = within(rule, context)
    if (op, n) == (">=", 1):
        return found.values("shopper_id")
    grouped = found.values(who=_grouping()).annotate(n_times=counted)
    return grouped.filter(**{f"n_times{LOOKUPS[op]}": n}).values("who")


def _grouping() -> F | Func:
    """Return the shopper to group by; in SQLite so that it looks for the events first.

    It would walk all events of the shop in the order of shoppers, to have them in groups without sorting.
    """
    return _beside_index("shopper_id", BigIntegerField())


def _beside_index(column: str, kind: "Field[Any, Any]") -> F | Func:
    """Return a column so that SQLite does not take the index that begins with it; PostgreSQL knows better itself."""
    if connection.vendor != "sqlite":
        return F(column)
    return Func(F(column), template="+%(expressions)s", output_field=kind)


def within(rule: Mapping[str, Any], context: Context) -> "tuple[QuerySet[Any], Count, str]":
    """Return the events that a condition is about, how they are counted, and the column of their time."""
    start, end = bounds(rule.get("within"), context.now, None if _rolling(rule) else context.zone)
    counted = Count("pk")
    if rule["did"] == Event.Kind.PURCHASE:
        counted = Count(_order_key(context), distinct=True)
    return _between(actions(rule), start, end), counted, "at"


def _order_key(context: Context) -> Case:
    """Lines with a reference are one order, lines without are one order per day of the shop, as in profiles."""
    day = Cast(TruncDate("at", tzinfo=context.zone), CharField())
    return Case(
        When(order_ref="", then=Concat(Value("d"), day, output_field=CharField())),
        default=Concat(Value("r"), "order_ref"),
        output_field=CharField(),
    )


def actions(rule: Mapping[str, Any]) -> "QuerySet[Event]":
    """Return the events of a kind that pass the filters."""
    found, where = Event.objects.filter(kind=rule["did"]).order_by(), rule.get("where", {})
    if connection.vendor == "sqlite" and rule["did"] in TRADED and {"category", "product"} & where.keys():
        found = found.filter(IN_TRADED)
    return _passing(found, where)


def _actions_of_one(rule: Mapping[str, Any]) -> "QuerySet[Event]":
    """Return the same, to be asked of one shopper after the other.

    She has few events; SQLite would look through everybody's of those days instead, for each first thing anew.
    """
    what = Event.objects.alias(what=_beside_index("kind", CharField())).filter(what=rule["did"]).order_by()
    return _passing(what, rule.get("where", {}))


def _passing(found: "QuerySet[Event]", where: Mapping[str, Any]) -> "QuerySet[Event]":
    if "category" in where:
        found = found.filter(product__in=in_categories(where["category"]))
    if "product" in where:
        found = found.filter(product__in=Product.objects.filter(sku__in=where["product"]).values("pk"))
    for name in ANSWERS:
        if name in where:
            found = found.filter(**{f"{name}__in": where[name]})
    if "country" in where:
        found = found.filter(shopper__country__in=where["country"])
    if "amount" in where:
        op, value = where["amount"]["op"], where["amount"]["value"]
        limit = [_money(one) for one in value] if op == "between" else _money(value)
        found = found.filter(**{f"amount{LOOKUPS[op]}": limit})
    return found


def buyers(categories: list[str]) -> "QuerySet[Any]":
    """Return the ids of those who ever bought in one of the categories."""
    return actions({"did": Event.Kind.PURCHASE, "where": {"category": categories}}).values("shopper_id")


def in_categories(categories: list[str]) -> "QuerySet[Any]":
    """Return the ids of products in one of the categories or below it ("Kitchen" holds "Kitchen > Mugs")."""
    wanted = Q(category__in=categories)
    for category in categories:
        wanted |= _below(category)
    return Product.objects.filter(wanted).values("pk")


def _below(category: str) -> Q:
    """Say in each database's own way that a text begins with "Kitchen > ", so that its index finds it."""
    if connection.vendor == "postgresql":
        return Q(category__startswith=f"{category} > ")
    # SQLite's LIKE does not tell upper from lower case; its order does, and "!" comes right after the space.
    return Q(category__gte=f"{category} > ", category__lt=f"{category} >!")


def sequence(rule: Mapping[str, Any], context: Context) -> "QuerySet[Any]":
    """Return the ids of those who did the first thing and then, within the days, did or did not do the other.

    Where nothing is to follow, only a first thing whose days are over counts: the others may still do it.
    """
    asked = rule["sequence"]
    start, end = bounds(rule.get("within"), context.now, None if _rolling(rule) else context.zone)
    lasts = timedelta(days=asked["days"])
    first = _between(actions(asked["first"]), start, end)
    later = _actions_of_one(asked["then"]).filter(
        shopper=OuterRef("shopper"), at__gt=OuterRef("at"), at__lte=OuterRef("at") + lasts
    )
    if asked["same_product"]:
        later = later.filter(product=OuterRef("product"))
    if asked["happened"]:
        return first.filter(Exists(later)).values("shopper_id")
    return first.filter(~Exists(later), at__lte=context.now - lasts).values("shopper_id")


def _between(found: "QuerySet[Any]", start: datetime | None, end: datetime | None) -> "QuerySet[Any]":
    if start is not None:
        found = found.filter(at__gte=start)
    return found if end is None else found.filter(at__lt=end)


def _rolling(rule: Mapping[str, Any]) -> bool:
    """Whether the window needs no time zone."""
    return not {"from", "since"} & set(rule.get("within", {}))


def _money(value: float) -> Decimal:
    return Decimal(str(value))
