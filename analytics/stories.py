"""A shopper's timeline in words: whole sentences, by day."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from analytics.timeline import Entry
from behaviour.models import Event, Shop
from mailai.ui.numbers import count, price

Kind = Event.Kind
Sentence = Callable[[Entry, Shop], str]


def days(entries: Iterable[Entry], shop: Shop, today: date) -> list[dict[str, Any]]:
    """Group entries by the day of the shop's calendar, for components/timeline.html."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        local = entry.at.astimezone(shop.zone)
        if not found or found[-1]["on"] != local.date():
            found.append({"on": local.date(), "label": _day(local.date(), today), "events": []})
        found[-1]["events"].append(_line(entry, local, shop))
    return found


def _day(on: date, today: date) -> str:
    words = date_format(
        on, pgettext("date format", "l j F") if on.year == today.year else pgettext("date format", "l j F Y")
    )
    ago = (today - on).days
    if ago == 0:
        return _("Today, %(day)s") % {"day": words}
    return _("Yesterday, %(day)s") % {"day": words} if ago == 1 else words


def _line(entry: Entry, local: datetime, shop: Shop) -> dict[str, Any]:
    sentence, icon, kind = LINES[entry.kind]
    return {
        "time": local.strftime("%H:%M"),
        "icon": icon,
        "kind": kind,
        "text": sentence(entry, shop),
        "image": entry.image,
    }


def _say(text: str, **parts: str) -> SafeString:
    """Fill a sentence; what is no markup yet is escaped."""
    filled = conditional_escape(text) % {name: conditional_escape(part) for name, part in parts.items()}
    return mark_safe(filled)  # noqa: S308 the sentence and all its parts are escaped


def _strong(name: str) -> SafeString:
    return format_html("<strong>{}</strong>", name)


def _product(entry: Entry) -> str:
    return _strong(entry.products[0]) if entry.products else _("a product")


def _ordered(entry: Entry, shop: Shop) -> str:
    if entry.amount is None:
        return _say(_("Ordered %(products)s"), products=_things(entry))
    return _say(
        _("Ordered %(products)s, %(amount)s"), products=_things(entry), amount=price(entry.amount, shop.currency)
    )


def _returned(entry: Entry, shop: Shop) -> str:
    if entry.amount is None:
        return _say(_("Returned %(products)s"), products=_things(entry))
    amount = price(abs(entry.amount), shop.currency)
    return _say(_("Returned %(products)s, %(amount)s"), products=_things(entry), amount=amount)


def _things(entry: Entry) -> str:
    """Name up to two products and count the rest."""
    if not entry.products:
        return _("something")
    named = [_strong(name) for name in entry.products]
    if entry.n_more:
        comma = conditional_escape(pgettext("between the words of a list", ", "))
        first = mark_safe(comma.join(named))  # noqa: S308 escaped
        more = ngettext(
            "%(products)s and %(count)s more product", "%(products)s and %(count)s more products", entry.n_more
        )
        return _say(more, products=first, count=count(entry.n_more))
    return named[0] if len(named) == 1 else _say(_("%(first)s and %(last)s"), first=named[0], last=named[-1])


def _with_product(text: str) -> Sentence:
    return lambda entry, shop: _say(_(text), product=_product(entry))


def _with_mail(text: str) -> Sentence:
    return lambda entry, shop: _say(_(text), mail=entry.mail or _("a deleted campaign"))


def _clicked(entry: Entry, shop: Shop) -> str:
    text = _("Clicked %(product)s in “%(mail)s”") if entry.products else _("Clicked in “%(mail)s”")
    return _say(text, mail=entry.mail or _("a deleted campaign"), product=_product(entry))


def _rated(entry: Entry, shop: Shop) -> str:
    if entry.amount is None:
        return _say(_("Rated %(product)s"), product=_product(entry))
    return _say(_("Rated %(product)s with %(stars)s"), product=_product(entry), stars=f"{entry.amount:g}")


def _answered(entry: Entry, shop: Shop) -> str:
    if entry.question:
        return _say(_("Answered “%(question)s” with “%(answer)s”"), question=entry.question, answer=entry.answer)
    return _say(_("Answered the survey in “%(mail)s”"), mail=entry.mail or _("a deleted campaign"))


def _plain(text: str) -> Sentence:
    return lambda entry, shop: _(text)


# kind -> (sentence, icon, colour)
LINES: dict[str, tuple[Sentence, str, str]] = {
    Kind.PURCHASE: (_ordered, "receipt", "buy"),
    Kind.REFUND: (_returned, "receipt-refund", ""),
    Kind.VIEW: (_with_product(gettext_noop("Viewed %(product)s")), "eye", ""),
    Kind.FAVOURITE: (_with_product(gettext_noop("Saved %(product)s")), "heart", ""),
    Kind.SEARCH: (_plain(gettext_noop("Searched the shop")), "search", ""),
    Kind.CART: (_with_product(gettext_noop("Put %(product)s in the cart")), "shopping-cart", "cart"),
    Kind.UNCART: (_with_product(gettext_noop("Took %(product)s out of the cart")), "shopping-cart-off", "cart"),
    Kind.RATING: (_rated, "star", ""),
    Kind.SIGNUP: (_plain(gettext_noop("Signed up")), "user-plus", ""),
    Kind.EMAIL_OPEN: (_with_mail(gettext_noop("Opened “%(mail)s”")), "mail-opened", "mail"),
    Kind.EMAIL_CLICK: (_clicked, "click", "mail"),
    Kind.SURVEY_ANSWER: (_answered, "message-star", "mail"),
    Kind.UNSUBSCRIBE: (_with_mail(gettext_noop("Unsubscribed from “%(mail)s”")), "mail-off", "mail"),
    "sent": (_with_mail(gettext_noop("We sent “%(mail)s”")), "mail", "mail"),
}
