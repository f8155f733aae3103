"""Template tags and filters of the shared user interface; builtins, so no page loads them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mailai import stats
from mailai.accounts.roles import ADMIN, MANAGER, MARKETER
from mailai.ui import icons, numbers, shapes, shell

register = template.Library()
ROLE_LABELS = {MARKETER: _("Marketer"), MANAGER: _("Manager"), ADMIN: _("Admin")}


def _forgiving(write: Callable[..., str]) -> Callable[..., str]:
    """A variable that is missing reaches a filter as an empty text; it is written like nothing at all."""

    @wraps(write)
    def written(value: Any, *more: Any) -> str:
        return write(None if value == "" else value, *more)

    return written


for _name in ("percent", "chance", "lift", "points", "count", "big", "money", "price", "day", "moment"):
    register.filter(_name, _forgiving(getattr(numbers, _name)))


@register.filter
def control(field: BoundField) -> SafeString:
    """Show the input of a form field in our look, tied to its hint and its error."""
    widget = field.field.widget
    classes = "form-select" if getattr(widget, "input_type", "") == "select" else "form-control"
    if field.errors:
        classes += " mx-invalid"
    # Django itself ties aria-describedby to a help text, and sets aria-invalid.
    attrs: dict[str, str | bool] = {"class": f"{widget.attrs.get('class', '')} {classes}".strip()}
    if field.errors:
        attrs["aria-describedby"] = f"{field.id_for_label}_error"
    elif field.help_text:
        attrs["aria-describedby"] = f"{field.id_for_label}_hint"
    return field.as_widget(attrs=attrs)


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """Show a Tabler outline icon; decorative unless it has a label."""
    return icons.icon_svg(name, str(label), css)


@register.simple_tag
def percent_range(low: float, high: float) -> str:
    """Write both ends of a range of shares."""
    return numbers.percent_range(low, high)


@register.simple_tag
def chance_range(low: float, high: float) -> str:
    """Write both ends of a range of chances."""
    return numbers.chance_range(low, high)


@register.simple_tag
def wilson(k: int, n: int) -> tuple[float, float]:
    """Give the 95 % range of a share: {% wilson k n as range %} {{ range.0 }}."""
    return stats.wilson(k, n)


@register.simple_tag
def rate_of(k: int, n: int, settled: bool | str = False) -> shapes.Rate:
    """Give a rate as it may be shown, or say that it is too early."""
    return shapes.rate(k, n, settled=settled is True)


@register.simple_tag
def first_open(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the first step that is not done yet."""
    return next((step for step in steps if not step.get("done")), None)


@register.simple_tag
def spark_of(values: list[float]) -> shapes.Spark:
    """Give the drawing of a sparkline."""
    return shapes.spark(values)


@register.simple_tag
def interval_of(estimate: float, low: float, high: float, **axis: Any) -> shapes.Interval:
    """Give the drawing of an interval bar; axis_low, axis_high and reference may be missing in the template."""
    return shapes.interval(estimate, low, high, **{name: None if end == "" else end for name, end in axis.items()})


@register.simple_tag
def share_of(part: float, whole: float) -> float:
    """Give part / whole in percent for data-w, 0 when there is no whole."""
    return shapes.share(part, whole)


@register.simple_tag(takes_context=True)
def allowed_url(context: dict[str, Any], url_name: str) -> str:
    """Give the address of a page if it exists and the person may open it."""
    return shell.allowed_url(context["request"].user, url_name) if _has_user(context) else ""


@register.simple_tag(takes_context=True)
def navigation(context: dict[str, Any]) -> list[shell.Group]:
    """Give the groups of the side bar."""
    return shell.navigation(context["request"].user) if _has_user(context) else []


@register.simple_tag(takes_context=True)
def bottom_bar(context: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the entries of the phone's bottom bar."""
    return shell.bottom_bar(context["request"].user) if _has_user(context) else []


@register.simple_tag(takes_context=True)
def commands(context: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what the command palette offers."""
    return shell.commands(context["request"].user) if _has_user(context) else []


@register.simple_tag
def language_code(language: str) -> str:
    """Write a language as short as it stands in the top bar: EN, 中文."""
    return {"zh-hans": "中文"}.get(language, language.upper())


@register.simple_tag
def role_names(roles: tuple[str, ...] | str = "") -> str:
    """Write the roles that may open a page."""
    return numbers.listed(str(ROLE_LABELS[role]) for role in roles or () if role in ROLE_LABELS)


def _has_user(context: dict[str, Any]) -> bool:
    return hasattr(context.get("request"), "user")
