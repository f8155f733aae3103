"""The model card of the predictions: which model serves, how far off it is, whether its ranges held."""

from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from behaviour.models import Shop
from mailai.ui import numbers
from mailai.ui.charts import Chart, Series, bars, dots, sideways
from segments.models import PredictionRun, PredictionTrack

Text = str | Promise
MODELS: dict[str, tuple[Text, Text]] = {
    "bgnbd": (gettext_lazy("Order rhythm"), gettext_lazy("How often and how lately she ordered (BG/NBD, gamma-gamma)")),
    "boosted": (gettext_lazy("Decision trees"), gettext_lazy("Orders, spending, visits and emails (boosted trees)")),
    "both": (gettext_lazy("Mean of both"), gettext_lazy("Order rhythm and decision trees, half each")),
    "last_period": (gettext_lazy("Same as last time"), gettext_lazy("The plain guess, to compare with")),
    "own": (gettext_lazy("Own habits"), gettext_lazy("What she bought so far, leaned on what the shop sells most")),
    "popular": (gettext_lazy("Best-selling category"), gettext_lazy("The same for everybody, to compare with")),
}
# Target -> its name, and what its error counts.
TARGETS: dict[str, tuple[Text, Text]] = {
    "orders": (gettext_lazy("Number of orders"), gettext_lazy("orders off per shopper")),
    "spend": (gettext_lazy("Spending"), gettext_lazy("off per shopper")),
    "chance": (gettext_lazy("Chance of an order in 30 days"), gettext_lazy("Brier score, 0 is perfect")),
    "churn": (gettext_lazy("Chance to leave"), gettext_lazy("Brier score, 0 is perfect")),
    "category": (gettext_lazy("Next category"), gettext_lazy("of the next orders do not hold it")),
}
REASONS: dict[str, Text] = {
    "recency": gettext_lazy("Time since the last order"),
    "orders": gettext_lazy("Number and rhythm of orders"),
    "tenure": gettext_lazy("Time since the first order"),
    "spending": gettext_lazy("Money per order"),
    "visits": gettext_lazy("Visits to the shop"),
    "emails": gettext_lazy("Opens and clicks in emails"),
}
TRACKS: dict[str, Text] = {
    "orders": gettext_lazy("Orders"),
    "spend": gettext_lazy("Spending"),
    "order": gettext_lazy("Shoppers who order"),
    "churn": gettext_lazy("Shoppers who order nothing"),
    "gone": gettext_lazy("Shoppers who order nothing"),
}
N_TRACKS = 24


@dataclass(frozen=True)
class Row:
    """One model's result for one target, in words."""

    label: Text
    hint: Text
    serves: bool
    error: str
    between: str


@dataclass(frozen=True)
class Target:
    """One thing that is predicted, with the models that tried."""

    name: Text
    counts: Text
    rows: list[Row]


@dataclass(frozen=True)
class Passed:
    """A window that has passed: what was said, what happened."""

    name: str
    said_on: Any
    predicted: str
    between: str
    happened: str
    inside: bool


def card(run: PredictionRun) -> dict[str, Any]:
    """Return what the page shows of a run."""
    metrics = run.metrics
    return {
        "stats": _stats(metrics.get("expected", {})),
        "targets": [_target(name, run) for name in TARGETS if metrics.get("targets", {}).get(name)],
        "coverage": _coverage(metrics),
        "year": _year(metrics),
        "window": round(metrics.get("window", 0)),
        "charts": [chart for chart in _charts(metrics) if chart],
        "passed": track_record(),
    }


def track_record() -> list[Passed]:
    """Return the newest windows that have passed, with what had been said of them."""
    rows = PredictionTrack.objects.exclude(happened=None).select_related("run").order_by("-due_at", "pk")[:N_TRACKS]
    return [_passed(row) for row in rows]


def _stats(expected: dict[str, list[float]]) -> list[dict[str, str]]:
    """Return the cards at the top: what all shoppers together are expected to do."""
    words = {
        "orders_30d": _("Orders in the next 30 days"),
        "spend_90d": _("Spending in the next 90 days"),
        "order_chance": _("Shoppers who order within 30 days"),
        "churn_chance": _("Shoppers who order nothing for 90 days"),
    }
    found = []
    for target, label in words.items():
        if target in expected:
            total, low, high, _days = expected[target]
            found.append(
                {"label": label, "value": _figure(target, total, short=True), "range": _between(target, low, high)}
            )
    return found


def _between(target: str, low: float, high: float) -> str:
    return _("80%% range %(low)s to %(high)s") % {"low": _figure(target, low), "high": _figure(target, high)}


def _figure(target: str, value: float, *, short: bool = False) -> str:
    if target.startswith("spend"):
        return numbers.money(value, Shop.current().currency)
    return numbers.big(value) if short else numbers.count(round(value))


def _target(name: str, run: PredictionRun) -> Target:
    label, counts = TARGETS[name]
    tried = run.metrics["targets"][name]
    rows = [
        Row(*MODELS[model], model == run.chosen.get(name), _error(name, row["error"]), _range(name, row))
        for model, row in sorted(tried.items(), key=lambda item: item[1]["error"])
        if model in MODELS
    ]
    return Target(label, counts, rows)


def _error(target: str, value: float) -> str:
    if target == "spend":
        return numbers.price(round(value, 2), Shop.current().currency)
    return numbers.percent(value) if target == "category" else f"{value:.3f}"


def _range(target: str, row: dict[str, float]) -> str:
    return f"{_error(target, row['low'])} – {_error(target, row['high'])}"


def _coverage(metrics: dict[str, Any]) -> str:
    """Say how many shoppers fell into their ranges."""
    covered = metrics.get("coverage") or {}
    if not covered:
        return _("There are too few orders to try the ranges out. They are wide until there are more.")
    return _(
        "Of %(n)s shoppers, %(orders)s ordered as often and %(spend)s spent as much as the 80%% range said, in days "
        "that the range had not seen. In the first two years ranges leave room for a season that has not shown itself "
        "yet, so more than 80%% may fall inside."
    ) % {
        "n": numbers.count(covered["n"]),
        "orders": numbers.percent(covered["orders"]),
        "spend": numbers.percent(covered["spend"]),
    }


def _year(metrics: dict[str, Any]) -> list[str]:
    """Say how a whole year would have been predicted, or why that can't be tried; and what is never tried by itself."""
    year, days = (
        metrics.get("year"),
        _("The day of the next order is not tried by itself: it follows from the chances."),
    )
    if year is None:
        return [days]
    if not year:
        return [
            _(
                "The next 365 days can't be tried yet: that takes two years of orders, and there are %(years)s. Until "
                "then a year is the shorter window, lengthened by each shopper's own rhythm."
            )
            % {"years": number_format(metrics["years"], 1)},
            days,
        ]
    currency = Shop.current().currency
    return [
        _(
            "The year was tried too, as it would have been predicted on %(day)s: %(orders_said)s orders and "
            "%(spend_said)s were predicted, %(orders_came)s and %(spend_came)s came."
        )
        % {
            "day": numbers.day(parse_datetime(year["at"])),
            "orders_said": numbers.count(round(year["orders_predicted"])),
            "orders_came": numbers.count(round(year["orders_happened"])),
            "spend_said": numbers.money(year["spend_predicted"], currency),
            "spend_came": numbers.money(year["spend_happened"], currency),
        },
        _(
            "Of %(n)s shoppers, %(orders)s ordered as often and %(spend)s spent as much as the 80%% range for the year "
            "said; %(gone_said)s were predicted to order nothing, %(gone_came)s did. Visits and emails were left out."
        )
        % {
            "n": numbers.count(year["n"]),
            "orders": numbers.percent(year["orders_covered"]),
            "spend": numbers.percent(year["spend_covered"]),
            "gone_said": numbers.percent(year["gone_said"]),
            "gone_came": numbers.percent(year["gone_came"]),
        },
        days,
    ]


def _charts(metrics: dict[str, Any]) -> tuple[Chart | None, ...]:
    order = _calibration(metrics.get("calibration"), "calibration", _("Do as many order as predicted?"), _("Ordered"))
    leave = _calibration(
        metrics.get("calibration_churn"), "calibration-churn", _("Do as many leave as predicted?"), _("Left")
    )
    return order, leave, _totals(metrics), _drivers(metrics)


def _calibration(table: list[dict[str, float]] | None, name: str, finding: str, what: str) -> Chart | None:
    """Predicted chances beside what came of them."""
    if not table:
        return None
    said = [round(row["said"], 4) for row in table]
    came = Series(
        what, said, [row["came"] for row in table], "c1",
        low=[row["low"] for row in table], high=[row["high"] for row in table],
    )  # fmt: skip
    figure = dots([came], y_format=".0%", x_title=_("predicted chance"))
    ends = [0.0, max(*said, *(row["came"] for row in table))]
    line = {"x": ends, "y": ends, "mode": "lines", "line": {"color": "muted", "width": 1, "dash": "dot"}}
    figure["data"].insert(0, {"type": "scatter", "hoverinfo": "skip", **line})
    figure["layout"].setdefault("xaxis", {})["tickformat"] = ".0%"
    figure["layout"]["showlegend"] = False
    held = sum(row["low"] <= row["said"] <= row["high"] for row in table)
    return Chart(
        id=name,
        finding=finding,
        explanation=_(
            "Shoppers in ten groups, from the lowest chance to the highest. On the dotted line as many came as "
            "predicted. Lines are 80%% ranges."
        )
        % {},
        figure=figure,
        label=ngettext(
            "In %(held)s of %(all)s groups the predicted chance lies within the range of what came.",
            "In %(held)s of %(all)s groups the predicted chances lie within the range of what came.",
            held,
        )
        % {"held": held, "all": len(table)},
        columns=[_("Predicted chance"), what, _("80%% range") % {}, _("Shoppers")],
        rows=[
            (
                numbers.percent(row["said"]), numbers.percent(row["came"]),
                numbers.percent_range(row["low"], row["high"]), numbers.count(row["n"]),
            )
            for row in table
        ],
    )  # fmt: skip


def _totals(metrics: dict[str, Any]) -> Chart | None:
    """Orders of all shoppers in the windows that were held back."""
    rounds = list(reversed(metrics.get("totals") or []))
    if not rounds:
        return None
    days = [numbers.day(parse_datetime(str(row["at"]))) for row in rounds]
    said, came = ([round(row[f"orders_{end}"]) for row in rounds] for end in ("predicted", "happened"))
    window = round(metrics.get("window", 0))
    from_day = ngettext("%(n)s day from", "%(n)s days from", window) % {"n": window} if window else _("days from")
    return Chart(
        id="held-back",
        finding=_("Orders predicted, and orders that came"),
        explanation=_(
            "The shop's last months, predicted as if they were still to come, by the models that serve now. Violet was "
            "predicted, blue came."
        ),
        figure=bars([Series(_("Predicted"), days, said, "ai"), Series(_("Came"), days, came, "c1")], x_title=from_day),
        label=_("In the newest window %(said)s orders were predicted and %(came)s came.")
        % {"said": numbers.count(said[-1]), "came": numbers.count(came[-1])},
        columns=[_("Days from"), _("Predicted"), _("Came")],
        rows=[(day, numbers.count(a), numbers.count(b)) for day, a, b in zip(days, said, came, strict=True)],
    )


def _drivers(metrics: dict[str, Any]) -> Chart | None:
    """What moves the chance to order, on average."""
    found = {name: share for name, share in (metrics.get("drivers") or {}).items() if share > 0 and name in REASONS}
    if not found:
        return None
    ordered = sorted(found.items(), key=lambda item: -item[1])
    names, values = [str(REASONS[name]) for name, _share in ordered], [share for _name, share in ordered]
    return Chart(
        id="drivers",
        finding=_("%(reason)s says most") % {"reason": names[0]},
        explanation=_("By how many points each moves a shopper's chance to order away from the usual shopper's."),
        figure=sideways(
            bars([Series(_("Points"), names, [round(100 * value, 2) for value in values], "c1")], y_format=".1f")
        ),
        label=_("%(reason)s moves the chance to order by %(points)s on average.")
        % {"reason": names[0], "points": numbers.points(values[0])},
        columns=[_("Reason"), _("Mean effect")],
        rows=[(name, numbers.points(value)) for name, value in zip(names, values, strict=True)],
    )


def _passed(row: PredictionTrack) -> Passed:
    kind = row.target.split("_", maxsplit=1)[0]
    days = (row.due_at - row.run.as_of).days
    name = ngettext("%(what)s in %(n)s day", "%(what)s in %(n)s days", days) % {"what": TRACKS[kind], "n": days}
    happened = row.happened or 0.0
    return Passed(
        name=name,
        said_on=row.run.as_of,
        predicted=_figure(row.target, row.predicted),
        between=f"{_figure(row.target, row.predicted_low)} – {_figure(row.target, row.predicted_high)}",
        happened=_figure(row.target, happened),
        inside=row.predicted_low <= happened <= row.predicted_high,
    )
