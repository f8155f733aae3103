"""Why shoppers fit a rule: what each of them has of what it asks about."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from behaviour.models import Event, Shopper
from mailai.ui import numbers
from segments.fields import BOUGHT, CHOICE, DAYS, FIELDS, MONEY, SHARE, Field
from segments.rules.context import Context
from segments.rules.events import times, within
from segments.rules.mailing import MOMENTS, mails_within
from segments.rules.wording import days
from segments.rules.wording_behaviour import things

N_FACTS = 3
N_COUNTED = 5


def facts(rule: dict[str, Any], shoppers: Sequence[Shopper], *, now: datetime, currency: str) -> dict[int, str]:
    """Return per shopper what she has of what the rule asks about, at most three things.

    Costs one query per condition on behaviour, at most five of them, however many shoppers.
    """
    context = Context(now)
    found: dict[int, list[str]] = defaultdict(list)
    asked = list(_positive(rule))
    for one in [one for one in asked if "did" in one or "mail" in one][:N_COUNTED]:
        for pk, said in _counted(one, shoppers, context).items():
            found[pk].append(said)
    names = dict.fromkeys(one["field"] for one in asked if "field" in one)
    for shopper in shoppers:
        for name in names:
            if said := _on_field(FIELDS[name], shopper, now=now, currency=currency):
                found[shopper.pk].append(said)
    return {pk: " · ".join(list(dict.fromkeys(said))[:N_FACTS]) for pk, said in found.items()}


def _positive(rule: dict[str, Any], *, wanted: bool = True) -> Iterator[dict[str, Any]]:
    """Give the conditions that a shopper can have met by doing something; of fields also the excluded ones."""
    if "not" in rule:
        yield from _positive(rule["not"], wanted=not wanted)
    elif "all" in rule or "any" in rule:
        for part in rule.get("all") or rule.get("any") or ():
            yield from _positive(part, wanted=wanted)
    elif "field" in rule or (wanted and ("did" in rule or "mail" in rule) and times(rule) != ("=", 0)):
        yield rule


def _counted(rule: Mapping[str, Any], shoppers: Sequence[Shopper], context: Context) -> dict[int, str]:
    found: QuerySet[Any] | None
    if "did" in rule:
        found, counted, moment = within(rule, context)
    else:
        found, counted, moment = mails_within(rule, context), Count("pk"), MOMENTS[rule["mail"]]
    if found is None:
        return {}
    rows = found.filter(shopper__in=shoppers).order_by().values("shopper_id").annotate(n=counted, last=Max(moment))
    return {row["shopper_id"]: _said(rule, row["n"], numbers.day(row["last"].astimezone(context.zone))) for row in rows}


def _said(rule: Mapping[str, Any], n: int, last: str) -> str:
    """Say "3 orders of Trail running, last 12 Nov"."""
    what = things(rule.get("where", {}))
    if rule.get("did") == Event.Kind.PURCHASE:
        said = ngettext("%(n)s order", "%(n)s orders", n) % {"n": f"{n:,}"}
    elif rule.get("mail") == "opened" or rule.get("did") == Event.Kind.EMAIL_OPEN:
        return _("last opened %(day)s") % {"day": last}
    elif rule.get("mail") == "clicked" or rule.get("did") == Event.Kind.EMAIL_CLICK:
        return _("last clicked %(day)s") % {"day": last}
    elif "mail" in rule:
        said = ngettext("%(n)s email", "%(n)s emails", n) % {"n": f"{n:,}"}
    else:
        label = str(Event.Kind(rule["did"]).label)
        said = ngettext("%(label)s %(n)s time", "%(label)s %(n)s times", n) % {"label": label, "n": f"{n:,}"}
    said = _("%(what)s: %(said)s") % {"what": what, "said": said} if what else said
    return _("%(said)s, last %(day)s") % {"said": said, "day": last}


def _on_field(field: Field, shopper: Shopper, *, now: datetime, currency: str) -> str:
    value: Any = shopper
    for step in field.path.split("__") if field.path else []:
        value = getattr(value, step, None)
    if field.kind == BOUGHT or value is None or value == "":
        return ""
    return _("%(label)s: %(value)s") % {"label": field.label, "value": _shown(field, value, now, currency)}


def _shown(field: Field, value: Any, now: datetime, currency: str) -> str:
    if field.kind == DAYS:
        return _("%(days)s ago") % {"days": days((now - value).days)}
    if field.kind == CHOICE:
        names = {field.stored(key): str(label) for key, label in field.choices}
        return names.get(value, str(value))
    if field.kind == MONEY:
        return numbers.money(Decimal(value), currency)
    if field.kind == SHARE:
        return numbers.percent(value)
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)
