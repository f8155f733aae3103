"""What the settings of algorithms are called on screens, and how their values are written."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommender.core.algorithms import ALGORITHMS, create
from recommender.core.weighting import BEST, LOG
from recommender.models import Tuning
from recommender.said import said

# By name, or by algorithm and name where the same letter means another thing.
SETTINGS = {
    "half_life": gettext_lazy("Events count half after this share of the time"),
    "half_life_share": gettext_lazy("Orders count half after this share of the time"),
    "shape": gettext_lazy("Several events with a product"),
    "view": gettext_lazy("Worth of a view"),
    "cart": gettext_lazy("Worth of a cart"),
    "k": gettext_lazy("Neighbours"),
    "n": gettext_lazy("Neighbours"),
    "power": gettext_lazy("How much nearer neighbours count more"),
    "idf": gettext_lazy("How much rare products count more"),
    "shrink": gettext_lazy("Doubt about little in common"),
    "self_weight": gettext_lazy("Weight of the product itself"),
    "k1": gettext_lazy("How soon more events add nothing"),
    "b": gettext_lazy("How much busy shoppers count less"),
    "factors": gettext_lazy("Hidden tastes"),
    "iterations": gettext_lazy("Rounds of learning"),
    "learning_rate": gettext_lazy("Step of learning"),
    "regularization": gettext_lazy("Caution"),
    "ridge": gettext_lazy("Caution"),
    "l2": gettext_lazy("Caution"),
    "popular": gettext_lazy("How much popular products count less"),
    "category_weight": gettext_lazy("Weight of the category"),
    "price_weight": gettext_lazy("Weight of the price"),
    "group": gettext_lazy("Orders in a group"),
    "within": gettext_lazy("Forgetting inside a group"),
    "between": gettext_lazy("Forgetting from group to group"),
    "alpha": gettext_lazy("How much certain events count more"),
    "next_basket.alpha": gettext_lazy("Share of her own orders beside neighbours"),
    "rp3beta.alpha": gettext_lazy("Sharpness of the walk"),
    "beta": gettext_lazy("How much popular products are held back"),
    "rhythm": gettext_lazy("Weight of the rhythm"),
    "loyalty": gettext_lazy("Weight of who comes back for a product"),
    "growth": gettext_lazy("Weight of growth"),
    "prior": gettext_lazy("Ratings until a level is believed"),
    "window": gettext_lazy("Steps that belong together"),
    "decay": gettext_lazy("Forgetting from step to step"),
    "back": gettext_lazy("Worth of the opposite order"),
    "damp_from": gettext_lazy("How much popular products vote less"),
    "damp_to": gettext_lazy("How much popular products are held back"),
    "recency": gettext_lazy("Forgetting among her newest products"),
    "last": gettext_lazy("Newest products that vote"),
}
VALUES = {LOG: gettext_lazy("add up, ever more slowly"), BEST: gettext_lazy("the strongest one counts")}
DIGITS = 3


def label(algorithm: str, setting: str) -> str:
    """Name a setting."""
    return str(SETTINGS.get(f"{algorithm}.{setting}") or SETTINGS.get(setting) or setting)


def written(value: Any) -> str:
    """Write a value with three digits that count."""
    if isinstance(value, str):
        return str(VALUES.get(value, value))
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}" if abs(value) < 10**DIGITS else f"{value:.0f}"
    return str(value)


def compared(algorithm: str, params: dict[str, Any]) -> list[dict[str, str]]:
    """Return the settings that differ from the defaults, each with both values."""
    if algorithm not in ALGORITHMS:
        return []
    defaults = create(algorithm).params
    return [
        {"label": label(algorithm, name), "value": written(value), "default": written(defaults.get(name))}
        for name, value in params.items()
        if written(value) != written(defaults.get(name))
    ]


def in_short(algorithm: str, params: dict[str, Any]) -> str:
    """Return the settings of a try in one line."""
    told = [
        _("%(setting)s: %(value)s") % {"setting": one["label"], "value": one["value"]}
        for one in compared(algorithm, params)
    ]
    return " · ".join(told) or _("The defaults")


def found(tuning: Tuning) -> str:
    """Say in a sentence what a search found."""
    if tuning.error:
        return said(tuning.error)
    if tuning.state != Tuning.State.DONE:
        return str(tuning.get_state_display())
    ends = {name: f"{tuning.found.get(name, 0):+.3f}" for name in ("value", "low", "high")}
    if "value" not in tuning.found:
        return _("Nothing ranked better than the defaults. They stay.")
    if tuning.adopted:
        return _("Better than the defaults: %(value)s, between %(low)s and %(high)s. Trainings use it.") % ends
    return _("Not better than the defaults for sure: %(value)s, between %(low)s and %(high)s. They stay.") % ends
