"""Does a shopper fit a rule? Answered one shopper, one condition, one event at a time, as one would explain it."""

import operator
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from behaviour.models import Event, Shopper
from campaigns.models import Message
from segments.fields import BOUGHT, DAYS, FIELDS, MONEY
from segments.models import Segment, ShopperListMember

Rule = Mapping[str, Any]
OPPOSITE = {"!=": "=", "not_in": "in", "unknown": "known"}
COMPARE = {"=": operator.eq, ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


def fits(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> bool:
    """Read the rule aloud."""
    again = lambda part: fits(part, shopper, now, zone)  # noqa: E731
    if "all" in rule:
        return all(map(again, rule["all"]))
    if "any" in rule:
        return any(map(again, rule["any"]))
    if "not" in rule:
        return not again(rule["not"])
    if "segment" in rule:
        return again(Segment.objects.get(uuid=rule["segment"]).rule)
    if "list" in rule:
        return ShopperListMember.objects.filter(list__uuid=rule["list"], shopper=shopper).exists()
    if "did" in rule:
        return _often_enough(rule, _did(rule, shopper, now, zone))
    if "mail" in rule:
        return _often_enough(rule, len(_mails(rule, shopper, now, zone)))
    if "sequence" in rule:
        return _sequence(rule, shopper, now, zone)
    if "anniversary" in rule:
        return _anniversary(rule, shopper, now, zone)
    return _on_field(rule, shopper, now, zone)


def _on_field(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> bool:
    field, op, wanted = FIELDS[rule["field"]], rule["op"], rule.get("value")
    if op in OPPOSITE:
        return not _on_field({**rule, "op": OPPOSITE[op]}, shopper, now, zone)
    if field.kind == BOUGHT:
        names = wanted if op == "in" else [wanted]
        return any(event.kind == "purchase" and _in_category(event, names) for event in _events(shopper))
    has: Any = shopper
    for step in field.path.split("__"):
        has = getattr(has, step, None)
    if has is None or (op == "known" and has == ""):
        return False
    if op == "known":
        return True
    if field.kind == DAYS:
        has = (now - has).days
    if isinstance(has, date):
        has = (has - now.astimezone(zone).date()).days
    if field.numbered:
        has = field.choices[has][0]
    if op == "in":
        return has in wanted
    if op == "between":
        low, high = (Decimal(str(one)) if field.kind == MONEY else one for one in wanted)
        return low <= has <= high
    if field.kind == MONEY:
        wanted = Decimal(str(wanted))
    return COMPARE[op](has, wanted)


def _events(shopper: Shopper) -> list[Event]:
    return list(Event.objects.filter(shopper=shopper).select_related("product"))


def _in_category(event: Event, names: list[str]) -> bool:
    own = event.product.category if event.product else ""
    return any(own == name or own.startswith(f"{name} > ") for name in names)


def _often_enough(rule: Rule, n: int) -> bool:
    times = rule.get("times", {"op": ">=", "n": 1})
    return COMPARE[times["op"]](n, times["n"])


def _did(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> int:
    found = [one for one in _events(shopper) if _is(one, rule, shopper) and _within(rule, one.at, now, zone)]
    if rule["did"] != "purchase":
        return len(found)
    return len({one.order_ref or one.at.astimezone(zone).date() for one in found})


def _is(event: Event, rule: Rule, shopper: Shopper) -> bool:
    where = rule.get("where", {})
    if event.kind != rule["did"] or ("country" in where and shopper.country not in where["country"]):
        return False
    if "category" in where and not _in_category(event, where["category"]):
        return False
    if "product" in where and (event.product is None or event.product.sku not in where["product"]):
        return False
    if any(name in where and getattr(event, name) not in where[name] for name in ("question", "answer")):
        return False
    if "amount" not in where:
        return True
    op, value = where["amount"]["op"], where["amount"]["value"]
    if event.amount is None:
        return False
    if op == "between":
        return Decimal(str(value[0])) <= event.amount <= Decimal(str(value[1]))
    return COMPARE[op](event.amount, Decimal(str(value)))


def _within(rule: Rule, at: datetime, now: datetime, zone: tzinfo) -> bool:
    window, day = rule.get("within", {}), at.astimezone(zone).date()
    if "days" in window:
        return now - at <= timedelta(days=window["days"])
    if "before_days" in window:
        return now - at > timedelta(days=window["before_days"])
    if "since" in window:
        return day >= date.fromisoformat(window["since"])
    if "from" in window:
        return date.fromisoformat(window["from"]) <= day <= date.fromisoformat(window["to"])
    return True


def _mails(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> list[Message]:
    moment = {"opened": "opened_at", "clicked": "clicked_at"}.get(rule["mail"], "sent_at")
    found = []
    for message in Message.objects.filter(shopper=shopper, state="sent").select_related("campaign"):
        at = getattr(message, moment)
        if at is None or not _within(rule, at, now, zone):
            continue
        if "campaign" in rule and str(message.campaign.uuid) != rule["campaign"]:
            continue
        if rule["mail"] != "ignored" or (message.opened_at is None and message.clicked_at is None):
            found.append(message)
    return found


def _sequence(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> bool:
    asked, events = rule["sequence"], _events(shopper)
    lasts = timedelta(days=asked["days"])
    for first in events:
        if not _is(first, asked["first"], shopper) or not _within(rule, first.at, now, zone):
            continue
        followed = any(
            _is(then, asked["then"], shopper)
            and timedelta() < then.at - first.at <= lasts
            and (not asked.get("same_product") or then.product_id == first.product_id is not None)
            for then in events
        )
        if asked["happened"] and followed:
            return True
        if not asked["happened"] and not followed and first.at + lasts <= now:
            return True
    return False


def _anniversary(rule: Rule, shopper: Shopper, now: datetime, zone: tzinfo) -> bool:
    profile = getattr(shopper, "profile", None)
    at = shopper.signed_up_at if rule["anniversary"] == "sign_up" else getattr(profile, "first_order_at", None)
    if at is None:
        return False
    began, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    for days in range(rule["from_days"], rule["to_days"] + 1):
        day = today + timedelta(days=days)
        if day.year > began.year and day == _celebrated(began, day.year):
            return True
    return False


def _celebrated(began: date, year: int) -> date:
    try:
        return began.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
