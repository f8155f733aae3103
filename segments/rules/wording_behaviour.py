"""Conditions on behaviour, mails, sequences, anniversaries, segments and lists in words, and their opposites."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailai.ui import numbers
from segments.rules.events import times
from segments.rules.names import Names

Rule = Mapping[str, Any]
# Kind -> did, did not, and what where no product or category is named.
ACTIONS: dict[str, tuple[Any, Any, Any]] = {
    "view": (gettext_lazy("looked at %(what)s"), gettext_lazy("did not look at %(what)s"), gettext_lazy("a product")),
    "favourite": (gettext_lazy("saved %(what)s"), gettext_lazy("did not save %(what)s"), gettext_lazy("a product")),
    "search": (gettext_lazy("searched %(what)s"), gettext_lazy("did not search %(what)s"), gettext_lazy("the shop")),
    "cart": (
        gettext_lazy("put %(what)s in the cart"),
        gettext_lazy("did not put %(what)s in the cart"),
        gettext_lazy("a product"),
    ),
    "uncart": (
        gettext_lazy("took %(what)s out of the cart"),
        gettext_lazy("did not take %(what)s out of the cart"),
        gettext_lazy("a product"),
    ),
    "purchase": (gettext_lazy("ordered %(what)s"), gettext_lazy("did not order %(what)s"), ""),
    "refund": (gettext_lazy("returned %(what)s"), gettext_lazy("did not return %(what)s"), gettext_lazy("a product")),
    "rating": (gettext_lazy("rated %(what)s"), gettext_lazy("did not rate %(what)s"), gettext_lazy("a product")),
    "signup": (gettext_lazy("signed up %(what)s"), gettext_lazy("did not sign up %(what)s"), ""),
    "email_open": (gettext_lazy("opened an email %(what)s"), gettext_lazy("did not open an email %(what)s"), ""),
    "email_click": (
        gettext_lazy("clicked in an email %(what)s"),
        gettext_lazy("did not click in an email %(what)s"),
        "",
    ),
    "survey_answer": (gettext_lazy("answered a survey %(what)s"), gettext_lazy("did not answer a survey %(what)s"), ""),
    "unsubscribe": (gettext_lazy("unsubscribed %(what)s"), gettext_lazy("did not unsubscribe %(what)s"), ""),
}
MAILS: dict[str, tuple[Any, Any]] = {
    "got": (gettext_lazy("got %(what)s"), gettext_lazy("did not get %(what)s")),
    "opened": (gettext_lazy("opened %(what)s"), gettext_lazy("did not open %(what)s")),
    "clicked": (gettext_lazy("clicked in %(what)s"), gettext_lazy("did not click in %(what)s")),
    "ignored": (
        gettext_lazy("neither opened nor clicked %(what)s"),
        gettext_lazy("did not leave unopened %(what)s"),
    ),
}
AMOUNTS = {
    ">=": gettext_lazy("for at least %(value)s"), ">": gettext_lazy("for more than %(value)s"),
    "<=": gettext_lazy("for at most %(value)s"), "<": gettext_lazy("for less than %(value)s"),
    "=": gettext_lazy("for exactly %(value)s"), "between": gettext_lazy("for %(value)s"),
}  # fmt: skip
ANNIVERSARIES = {"sign_up": gettext_lazy("sign-up"), "first_order": gettext_lazy("first order")}


def phrase(rule: Rule, names: Names, *, happened: bool) -> str:
    """Say a condition, or its opposite, so that it goes on after "Shoppers who"; an anniversary after "whose"."""
    if "did" in rule:
        return _did(rule, happened=happened)
    if "mail" in rule:
        return _mail(rule, names, happened=happened)
    if "sequence" in rule:
        return _sequence(rule, happened=happened)
    if "anniversary" in rule:
        return _anniversary(rule, happened=happened)
    if "segment" in rule:
        name = names.segments.get(rule["segment"], rule["segment"])
        said = _("are in the segment “%(name)s”") if happened else _("are not in the segment “%(name)s”")
    else:
        name = names.lists.get(rule["list"], rule["list"])
        said = _("are on the list “%(name)s”") if happened else _("are not on the list “%(name)s”")
    return said % {"name": name}


def _did(rule: Rule, *, happened: bool) -> str:
    return _plain(_action(rule, happened=happened ^ (times(rule) == ("=", 0))), _times(rule), when(rule))


def _mail(rule: Rule, names: Names, *, happened: bool) -> str:
    verb = MAILS[rule["mail"]][0 if happened ^ (times(rule) == ("=", 0)) else 1]
    what = _("an email")
    if "campaign" in rule:
        what = _("the email “%(name)s”") % {"name": names.campaigns.get(rule["campaign"], rule["campaign"])}
    return _plain(str(verb) % {"what": what}, _times(rule), when(rule))


def _sequence(rule: Rule, *, happened: bool) -> str:
    asked = rule["sequence"]
    then = _action(asked["then"], happened=asked["happened"])
    if asked["same_product"]:
        then = _("%(then)s (the same product)") % {"then": then}
    first = _plain(_action(asked["first"], happened=True), when(rule))
    said = ngettext(
        "%(first)s and then %(then)s within %(n)s day",
        "%(first)s and then %(then)s within %(n)s days",
        asked["days"],
    ) % {"first": first, "then": then, "n": f"{asked['days']:,}"}
    return said if happened else _("are not among those who %(what)s") % {"what": said}


def _anniversary(rule: Rule, *, happened: bool) -> str:
    event, first, last = str(ANNIVERSARIES[rule["anniversary"]]), rule["from_days"], rule["to_days"]
    if happened:
        said = _("%(event)s has its anniversary %(first)s to %(last)s days from today")
    else:
        said = _("%(event)s does not have its anniversary %(first)s to %(last)s days from today")
    return said % {"event": event, "first": first, "last": last}


def _action(rule: Rule, *, happened: bool) -> str:
    did, did_not, usual = ACTIONS[rule["did"]]
    where = rule.get("where", {})
    what = [things(where) or str(usual)]
    if "amount" in where:
        what.append(_amount(where["amount"]))
    if "country" in where:
        what.append(_("from %(countries)s") % {"countries": numbers.listed(where["country"])})
    return _plain(str(did if happened else did_not) % {"what": " ".join(filter(None, what))})


def things(where: Rule) -> str:
    """Name the categories and products of a filter; "" where it has none."""
    named = []
    if "category" in where:
        named.append(_("something of %(categories)s") % {"categories": numbers.listed(where["category"])})
    if "product" in where:
        named.append(numbers.listed(where["product"]))
    asked = [numbers.listed(f"“{one}”" for one in where["question"])] if "question" in where else []
    if "answer" in where:
        asked.append(_("with %(answers)s") % {"answers": numbers.listed(f"“{one}”" for one in where["answer"])})
    return " · ".join(filter(None, [*named, " ".join(asked)]))


def _amount(amount: Rule) -> str:
    value = amount["value"]
    said = " – ".join(f"{one:,}" for one in value) if isinstance(value, list) else f"{value:,}"
    return str(AMOUNTS[amount["op"]]) % {"value": said}


def _times(rule: Rule) -> str:
    op, n = times(rule)
    said = f"{n:,}"
    if op == "<=":
        return ngettext("at most %(n)s time", "at most %(n)s times", n) % {"n": said}
    if op == "=":
        return ngettext("exactly %(n)s time", "exactly %(n)s times", n) % {"n": said} if n else ""
    return ngettext("at least %(n)s time", "at least %(n)s times", n) % {"n": said} if n > 1 else ""


def when(rule: Rule) -> str:
    """Say a window; "" where there is none."""
    window = rule.get("within", {})
    if "days" in window:
        n = window["days"]
        return ngettext("in the last %(n)s day", "in the last %(n)s days", n) % {"n": f"{n:,}"}
    if "before_days" in window:
        n = window["before_days"]
        return ngettext("more than %(n)s day ago", "more than %(n)s days ago", n) % {"n": f"{n:,}"}
    if "since" in window:
        return _("since %(day)s") % {"day": _day(window["since"])}
    if "from" in window:
        return _("from %(first)s to %(last)s") % {"first": _day(window["from"]), "last": _day(window["to"])}
    return ""


def _day(written: str) -> str:
    return numbers.day(date.fromisoformat(written))


def _plain(*parts: str) -> str:
    return " ".join(" ".join(filter(None, parts)).split())
