"""Made-up values for the style guide, one for each state of each component."""

from typing import Any

from django.http import HttpRequest

from mailai.ui.charts import Chart, Series, bars, lines
from mailai.ui.tables import paginate

MONDAYS = ["2026-09-07", "2026-09-14", "2026-09-21", "2026-09-28", "2026-10-05", "2026-10-12"]


def context(request: HttpRequest) -> dict[str, Any]:
    """Return everything the style guide shows; its words are not translated, since only developers see it."""
    return {
        "nav": "styleguide",
        "trend": [3, 4, 3, 5, 6, 6, 8],
        "lift_chart": _lift_chart(),
        "bar_chart": _bar_chart(),
        "rows": paginate(request, list(range(130)), per_page=25),
        "suggestion": {
            "what": "Win back 3,184 shoppers who are drifting away",
            "why": "They used to order every 41 days; it has been 68 or more.",
            "range": "+46 to +118 orders",
        },
        "funnel": [
            {"label": "Sent", "count": 37_215, "share": None},
            {"label": "Delivered", "count": 36_842, "share": 0.990},
            {"label": "Opened", "count": 10_905, "share": 0.296},
            {"label": "Clicked", "count": 2_506, "share": 0.230},
            {"label": "Ordered", "count": 571, "share": 0.228},
        ],
        "fall": [
            {"label": "In your segments", "count": 61_204, "kind": "start"},
            {"label": "No marketing consent", "count": 3_018, "kind": "out"},
            {"label": "Held back to measure lift", "count": 5_352, "kind": "held"},
            {"label": "Will get this email", "count": 52_834, "kind": "end"},
        ],
        "wizard": _wizard(),
        "timeline": _timeline(),
        "checks": _checks(),
        "setup": _setup(),
        "crumbs": [("Shoppers", "#shoppers")],
        "head_actions": [
            {"label": "Export", "url": "#export", "icon": "download"},
            {"label": "New campaign", "url": "#new", "icon": "plus", "kind": "primary"},
        ],
        "nobody": ("admin",),
    }


def _lift_chart() -> Chart:
    emailed, control = [6.3, 6.6, 6.5, 6.8, 6.9, 7.4], [5.6, 5.7, 5.5, 5.8, 5.7, 5.9]
    figure = lines(
        [
            Series("Got email", MONDAYS, emailed, "c1", [y - 0.3 for y in emailed], [y + 0.3 for y in emailed]),
            Series("Control", MONDAYS, control, "control", [y - 0.6 for y in control], [y + 0.6 for y in control]),
        ],
        y_format=".1f",
        dates=True,
    )
    return Chart(
        "sample-lift",
        "Shoppers who get your email order 25% more",
        "Orders per 1,000 shoppers each week, against the 10% you hold back.",
        figure,
        "Weekly orders per 1,000 shoppers: emailed shoppers rise from 6.3 to 7.4, control group from 5.6 to 5.9.",
        ["Week", "Got email", "Control"],
        list(zip(MONDAYS, emailed, control, strict=True)),
    )


def _bar_chart() -> Chart:
    shares, names = [0.099, 0.07, 0.043], ["Loyal", "Promising", "At risk"]
    series = Series("Clicked", names, shares, "c1", [0.093, 0.066, 0.038], [0.105, 0.075, 0.048])
    return Chart(
        "sample-bars",
        "Loyal shoppers click most",
        "Share of delivered emails that were clicked, with the 95% range.",
        bars([series], y_format=".0%"),
        "Click rate: loyal 9.9%, promising 7.0%, at risk 4.3%.",
        ["Group", "Click rate"],
        [("Loyal", "9.9%"), ("Promising", "7.0%"), ("At risk", "4.3%")],
        height=200,
    )


def _wizard() -> dict[str, Any]:
    names = ["Audience", "Content", "Subject", "Timing", "Review"]
    return {
        "name": "Black Friday early access",
        "status": "Draft, saved 12 s ago",
        "current": "subject",
        "n_shoppers": 48_170,
        "steps": [
            {"key": name.lower(), "label": name, "url": f"#{name.lower()}", "done": i < 2}
            for i, name in enumerate(names)
        ],
    }


def _timeline() -> list[dict[str, Any]]:
    return [
        {
            "label": "Yesterday, 23 November",
            "events": [
                {"time": "20:41", "icon": "eye", "kind": "", "text": "Viewed Ridge pack"},
                {
                    "time": "20:38",
                    "icon": "click",
                    "kind": "mail",
                    "text": "Clicked Base layers in “Winter layers guide”",
                },
                {"time": "19:12", "icon": "shopping-cart", "kind": "cart", "text": "Left Ridge pack in the cart, $139"},
            ],
        },
        {
            "label": "Tuesday 3 November",
            "events": [{"time": "21:26", "icon": "receipt", "kind": "buy", "text": "Ordered Trail Runner 2, $158"}],
        },
    ]


def _checks() -> list[dict[str, Any]]:
    return [
        {
            "state": "bad",
            "text": "The unsubscribe link is missing",
            "detail": "Nothing is sent without it.",
            "action_url": "#content",
            "action": "Fix it",
        },
        {
            "state": "warn",
            "text": "One picture has no description",
            "detail": "Shoppers who block pictures see nothing there.",
            "action_url": "#content",
            "action": "Fix it",
        },
        {"state": "ok", "text": "Every field has a fallback"},
        {"state": "ok", "text": "22 KB, below the 102 KB Gmail limit"},
        {"state": "ok", "text": "Postal address in the footer"},
    ]


def _setup() -> dict[str, Any]:
    return {
        "n_done": 1,
        "steps": [
            {"title": "Create your workspace", "text": "Northlane, US dollars", "done": True},
            {
                "title": "Upload your shop data",
                "text": "One CSV of views, carts or orders is enough to start.",
                "url": "#upload",
                "action": "Upload a file",
                "minutes": 5,
            },
            {
                "title": "Connect a sending account",
                "text": "SMTP, or the built-in demo inbox",
                "url": "#sending",
                "action": "Connect",
                "minutes": 4,
            },
        ],
    }
