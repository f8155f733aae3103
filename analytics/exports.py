"""The figures of a report as plain values: for the command, and as rows of a file."""

from collections.abc import Iterator
from typing import Any

from analytics.core.lift import Estimate, Group
from analytics.queries import Part, Report

HEADER = ("section", "figure", "value", "low", "high", "of")


def figures(report: Report) -> dict[str, Any]:
    """Return every figure of the report page; rates and differences with ``low`` and ``high``."""
    campaign, lift = report.campaign, report.lift
    return {
        "campaign": str(campaign.uuid),
        "name": campaign.name,
        "state": campaign.state,
        "began_at": report.began_at,
        "last_sent_at": report.last_sent_at,
        "counted_until": report.counted_until,
        "is_final": report.is_final,
        "attribution_days": report.attribution_days,
        "currency": report.currency,
        "counts": report.counts,
        "skipped": report.skipped,
        "rates": {name: one.to_json() for name, one in report.rates.items()},
        "revenue": report.revenue,
        "revenue_per_message": _estimate(report.revenue_per_message),
        "per_hour": report.per_hour,
        "lift": {
            "treated": _group(lift.treated),
            "control": _group(lift.control),
            "difference": _estimate(lift.difference),
            "ratio": _estimate(lift.ratio),
            "extra_orders": _estimate(lift.extra_orders),
            "extra_revenue": _estimate(lift.extra_revenue),
            "is_clear": lift.is_clear,
        },
        "over_time": {
            "bin_minutes": report.series.width_minutes,
            "opened": report.series.opens.tolist(),
            "clicked": report.series.clicks.tolist(),
            "half_of_clicks_minutes": report.half_of_clicks_minutes,
        },
        "stages": [_part(part) for part in report.stages],
        "variants": [_part(part) for part in report.variants],
        "products": [vars(one) for one in report.products],
        "links": [vars(one) for one in report.links],
    }


def rows(report: Report) -> Iterator[tuple[Any, ...]]:
    """Return the figures as rows, with their header."""
    answer = figures(report)
    yield HEADER
    for name in ("name", "state", "began_at", "counted_until", "attribution_days", "currency"):
        yield "campaign", name, answer[name], None, None, None
    for section in ("counts", "skipped"):
        for name, n in answer[section].items():
            yield section, name, n, None, None, None
    for name, one in answer["rates"].items():
        yield "rate", name, one["rate"], one["low"], one["high"], one["n"]
    yield "revenue", "attributed", answer["revenue"], None, None, None
    yield from _ranges("revenue", {"per delivered message": answer["revenue_per_message"]})
    yield from _lift_rows(answer["lift"])
    yield from _time_rows(answer["over_time"])
    for split in ("stages", "variants"):
        for part in answer[split]:
            yield split, f"{part['key']} clicked", part["clicked"]["k"], None, None, part["delivered"]
            yield split, f"{part['key']} ordered", part["ordered"], None, None, part["delivered"]
            yield split, f"{part['key']} revenue", part["revenue"], None, None, None
    for thing in ("products", "links"):
        for one in answer[thing]:
            yield thing, one["label"], one["n_shoppers"], None, None, None


def _lift_rows(found: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for side in ("treated", "control"):
        yield "lift", f"{side} shoppers who ordered", found[side]["n_buyers"], None, None, found[side]["n_shoppers"]
    yield from _ranges("lift", {name: found[name] for name in ("difference", "ratio", "extra_orders", "extra_revenue")})


def _ranges(section: str, estimates: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, one in estimates.items():
        if one:
            yield section, name, one["value"], one["low"], one["high"], None


def _time_rows(over_time: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name in ("opened", "clicked"):
        for n, value in enumerate(over_time[name]):
            yield name, f"from hour {n * over_time['bin_minutes'] / 60:g}", value, None, None, None


def _estimate(one: Estimate | None) -> dict[str, float] | None:
    return {"value": one.value, "low": one.low, "high": one.high} if one else None


def _group(group: Group) -> dict[str, Any]:
    return {
        "n_shoppers": group.n_shoppers,
        "n_buyers": group.n_buyers,
        "n_orders": group.n_orders,
        "revenue": float(group.spent.sum()),
        "share": group.share,
    }


def _part(part: Part) -> dict[str, Any]:
    return {**vars(part), "clicked": part.clicked.to_json()}
