"""What the pages of the catalogue show: words for states, pictures, charts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from behaviour.models import Product, StockChange
from behaviour.pictures import OK, TOO_SMALL
from mailai.ui.charts import Chart, Series, bars, lines
from mailai.ui.numbers import count, day, listed, moment, price

PICTURES = {
    "ok": gettext_lazy("The picture was found."),
    "missing": gettext_lazy("The picture is not in the storage. Upload it again."),
    "not_found": gettext_lazy("Nothing is at the picture's address (404). Correct it in your product file."),
    "too_small": gettext_lazy("The picture is narrower than 200 pixels and looks blurred in an email."),
    "too_large": gettext_lazy("The picture has more than 5 MB. Many mail programs do not show it."),
    "not_an_image": gettext_lazy("There is no PNG, JPEG, GIF or WebP picture at the address."),
    "refused_address": gettext_lazy("The address leads into a private network, where no reader can look."),
    "unreachable": gettext_lazy("The picture's host did not answer. It is asked again in a day."),
}


def picture_url(product: Product) -> str:
    """Return where this site shows the picture; "" for one that is not known to be there."""
    return picture_address(product.sku, product.image, product.image_state)


def picture_address(sku: str, image: str, state: str) -> str:
    """Return where this site shows a picture; pages load nothing from other hosts, so it comes through this one."""
    if not image or ("://" in image and state not in (OK, TOO_SMALL)):
        return ""
    if "://" in image:
        return reverse("behaviour:product_picture", args=[sku])
    return "" if state == "missing" else f"{settings.MEDIA_URL}{image}"


def chips(product: Product) -> list[tuple[str, str]]:
    """Return (kind, text) of what is special about a product."""
    found = []
    if not product.in_catalogue:
        found.append(("warn", _("Not in the catalogue yet")))
    if not product.active:
        found.append(("", _("Switched off")))
    if product.stock is not None and product.stock <= 0:
        found.append(("bad", _("Out of stock")))
    if product.in_catalogue and not product.image:
        found.append(("warn", _("No picture")))
    elif product.image_state not in ("", OK):
        found.append(("warn", _("Picture does not work") if product.image_state != TOO_SMALL else _("Small picture")))
    return found


def picture_text(product: Product) -> str:
    """Return what the last look at the picture found, in a sentence."""
    if not product.image:
        return _("No picture is known, so no email shows this product.")
    return str(PICTURES.get(product.image_state, _("The picture has not been looked at yet.")))


def attributes(product: Product) -> list[tuple[str, str]]:
    """Return what else the catalogue says, as words."""
    said = product.attributes.items()
    return [(name, listed(map(str, value)) if isinstance(value, list) else str(value)) for name, value in said]


def charts(product: Product, currency: str, changes: Sequence[StockChange], weeks: Any) -> list[Chart]:
    """Return the charts that have something to show."""
    found = [_orders(weeks)] if any(n for _week, n in weeks) else []
    priced = [(one.at, float(one.price)) for one in changes if one.price is not None]
    counted = [(one.at, float(one.stock)) for one in changes if one.stock is not None]
    if priced:
        found.append(_steps("price-history", _price_finding(priced, currency), _("Price"), priced, currency))
    if counted:
        found.append(_steps("stock-history", _stock_finding(counted), _("Stock"), counted, ""))
    return found


def _orders(weeks: list[tuple[datetime, int]]) -> Chart:
    total = sum(n for _week, n in weeks)
    dates = [week.date().isoformat() for week, _n in weeks]
    finding = ngettext(
        "%(count)s piece ordered in 26 weeks", "%(count)s pieces ordered in 26 weeks", total
    ) % {"count": count(total)}  # fmt: skip
    return Chart(
        id="orders-by-week",
        finding=finding,
        explanation=_("Pieces ordered each week, Monday to Sunday. The last week is not over yet."),
        figure=bars([Series(_("Ordered"), dates, [n for _week, n in weeks])], dates=True),
        label=finding,
        columns=[_("Week from"), _("Pieces ordered")],
        rows=[(day(week), count(n)) for week, n in weeks],
        height=200,
    )


def _steps(name: str, finding: str, what: str, points: list[tuple[datetime, float]], currency: str) -> Chart:
    """Return a line that keeps its height until the next change, up to now."""
    until = [*points, (timezone.now(), points[-1][1])]
    x = [timezone.localtime(at).replace(tzinfo=None).isoformat(timespec="seconds") for at, _value in until]
    y_format = ",.2f" if currency else ",.0f"
    figure = lines([Series(what, x, [value for _at, value in until], fill=not currency)], dates=True, y_format=y_format)
    figure["data"][0]["line"]["shape"] = "hv"
    return Chart(
        id=name,
        finding=finding,
        explanation=_("Noted whenever a file or the shop itself tells another value."),
        figure=figure,
        label=finding,
        columns=[_("Since"), what],
        rows=[(moment(at), price(value, currency) if currency else count(value)) for at, value in points],
        height=180,
    )


def _price_finding(points: list[tuple[datetime, float]], currency: str) -> str:
    now_at, before = points[-1][1], next((value for _at, value in points[-2::-1] if value != points[-1][1]), None)
    if before is None:
        return _("The price has been %(price)s so far") % {"price": price(now_at, currency)}
    return _("The price went from %(before)s to %(price)s") % {
        "before": price(before, currency),
        "price": price(now_at, currency),
    }


def _stock_finding(points: list[tuple[datetime, float]]) -> str:
    if points[-1][1] <= 0:
        return _("Sold out since %(when)s") % {"when": moment(points[-1][0])}
    return ngettext("%(count)s piece in stock", "%(count)s pieces in stock", round(points[-1][1])) % {
        "count": count(points[-1][1])
    }
