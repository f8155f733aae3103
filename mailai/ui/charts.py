"""Plotly figures in the one look of the house. Built and checked in Python, drawn by static/js/charts.js.

Colours are names ("c1", "control", "c1/0.13"): the page turns them into the colours of the light or the dark theme.
Titles are HTML above the chart, lines carry their name at their end, there is no legend box.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from django.utils.translation import pgettext

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Plotly checks colours; it sees these and the page gets the names back.
COLOURS = {
    "c1": (1, 0, 0),
    "c2": (2, 0, 0),
    "c3": (3, 0, 0),
    "c4": (4, 0, 0),
    "c5": (5, 0, 0),
    "control": (6, 0, 0),
    "muted": (7, 0, 0),
    "ai": (8, 0, 0),
    "ink": (9, 0, 0),
}
NAMES = {rgb: name for name, rgb in COLOURS.items()}
BAND = 0.13
WHOLE, N_FEW = ",.0f", 4
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Chart:
    """A chart card. ``finding`` is the title, ``label`` the sentence for those who can't see it, ``rows`` its table."""

    id: str
    finding: str
    explanation: str
    figure: dict[str, Any]
    label: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    csv_url: str = ""
    height: int = 240  # one of the heights in mailai.css: 120, 160, 180, 200 … 300


@dataclass(frozen=True)
class Series:
    """One line, row of bars or cloud of dots; ``low`` and ``high`` are its 95 % range."""

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    colour: str = "c1"
    low: Sequence[Any] = field(default_factory=tuple)
    high: Sequence[Any] = field(default_factory=tuple)
    fill: bool = False


def paint(name: str, alpha: float | None = None) -> str:
    """Return a colour that Plotly accepts and plain() turns back into its name."""
    red, green, blue = COLOURS[name]
    return f"rgba({red},{green},{blue},{1 if alpha is None else alpha:g})"


def plain(figure: go.Figure) -> dict[str, Any]:
    """Return the figure as JSON values with colour names, without Plotly's own template."""
    spec = json.loads(figure.to_json(engine="json"))
    spec["layout"].pop("template", None)
    return {"data": _named(spec["data"]), "layout": _named(spec["layout"])}


def lines(
    series: Sequence[Series], *, y_format: str = WHOLE, x_title: str = "", dates: bool = False, from_zero: bool = True
) -> dict[str, Any]:
    """Return lines, each with its band and its name at its end; at most four, control grey."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for one in series:
        if len(one.low):
            _band(figure, one)
    for one in series:
        figure.add_scatter(
            x=list(one.x),
            y=list(one.y),
            name=one.name,
            mode="lines" if len(one.x) > 1 else "markers",
            line={"color": paint(one.colour), "width": 2.25},
            marker={"color": paint(one.colour)},
            fill="tozeroy" if one.fill else None,
            fillcolor=paint(one.colour, 0.1) if one.fill else None,
            hovertemplate=f"{_text(one.name)} %{{y:{y_format}}}<extra></extra>",
        )
    figure.update_layout(annotations=_line_ends(series), margin={"l": 8, "r": 96, "t": 10, "b": 8})
    _axes(figure, y_format=y_format, x_title=x_title, dates=dates, from_zero=from_zero)
    if dates:
        _at_least_a_day(figure)
    return plain(figure)


def marked(figure: dict[str, Any], marks: Series, names: Sequence[str], *, y_format: str = ".3f") -> dict[str, Any]:
    """Put rings around some points of lines; ``names`` say what each of them is."""
    ring = {"symbol": "circle-open", "size": 12, "color": marks.colour, "line": {"width": 2, "color": marks.colour}}
    said = [f"{_text(marks.name)}: {_text(name)}" for name in names]
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": marks.name,
        "x": list(marks.x),
        "y": list(marks.y),
    }
    trace |= {"marker": ring, "text": said, "hovertemplate": f"%{{text}} %{{y:{y_format}}}<extra></extra>"}
    figure["data"].append(trace)
    return figure


def bars(series: Sequence[Series], *, y_format: str = WHOLE, x_title: str = "", dates: bool = False) -> dict[str, Any]:
    """Return bars from zero, with their 95 % range where there is one; several series stand side by side."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for one in series:
        figure.add_bar(
            x=list(one.x),
            y=list(one.y),
            name=one.name,
            marker={"color": paint(one.colour)},
            error_y=_errors(one, "ink"),
            hovertemplate=f"{_text(one.name)} %{{y:{y_format}}}<extra></extra>",
        )
    figure.update_layout(barmode="group")
    _axes(figure, y_format=y_format, x_title=x_title, dates=dates, from_zero=True)
    return plain(figure)


def sideways(figure: dict[str, Any]) -> dict[str, Any]:
    """Turn a figure of one row of bars so that long names stand beside them, the first on top."""
    (bar,), layout = figure["data"], figure["layout"]
    bar["x"], bar["y"], bar["orientation"] = bar["y"], bar["x"], "h"
    bar["hovertemplate"] = bar["hovertemplate"].replace("%{y", "%{x")
    layout["xaxis"], layout["yaxis"] = layout["yaxis"], layout["xaxis"] | {"autorange": "reversed", "dtick": 1}
    layout["hovermode"] = "closest"
    return figure


def dots(series: Sequence[Series], *, y_format: str = ".3f", x_title: str = "") -> dict[str, Any]:
    """Return dots with their 95 % range, for comparisons that need not start at zero."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for one in series:
        figure.add_scatter(
            x=list(one.x),
            y=list(one.y),
            name=one.name,
            mode="markers",
            marker={"color": paint(one.colour), "size": 8},
            error_y=_errors(one, one.colour),
            hovertemplate=f"{_text(one.name)} %{{y:{y_format}}}<extra></extra>",
        )
    figure.update_layout(hovermode="closest")
    _axes(figure, y_format=y_format, x_title=x_title, dates=False, from_zero=False)
    return plain(figure)


def search(tries: Series, best: Series, *, y_format: str = ".3f", x_title: str = "") -> dict[str, Any]:
    """Return the tries of a search as dots and the best so far as a line of steps that carries its name at its end."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(
        x=list(tries.x),
        y=list(tries.y),
        name=tries.name,
        mode="markers",
        marker={"color": paint(tries.colour), "size": 6},
        hovertemplate=f"{_text(tries.name)} %{{x}}: %{{y:{y_format}}}<extra></extra>",
    )
    steps = {"color": paint(best.colour), "width": 2.25, "shape": "hv"}
    figure.add_scatter(x=list(best.x), y=list(best.y), name=best.name, mode="lines", line=steps, hoverinfo="skip")
    ends = {"annotations": _line_ends([best]), "margin": {"l": 8, "r": 96, "t": 10, "b": 8}}
    figure.update_layout(hovermode="closest", **ends)
    _axes(figure, y_format=y_format, x_title=x_title, dates=False, from_zero=False)
    return plain(figure)


def _band(figure: go.Figure, one: Series) -> None:
    edge = {"x": list(one.x), "mode": "lines", "line": {"width": 0, "color": paint(one.colour)}, "hoverinfo": "skip"}
    figure.add_scatter(y=list(one.high), **edge)
    figure.add_scatter(y=list(one.low), fill="tonexty", fillcolor=paint(one.colour, BAND), **edge)


def _errors(one: Series, colour: str) -> dict[str, Any] | None:
    if not len(one.low):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [float(high) - float(y) for y, high in zip(one.y, one.high, strict=True)],
        "arrayminus": [float(y) - float(low) for y, low in zip(one.y, one.low, strict=True)],
        "color": paint(colour, 0.45),
        "thickness": 1.5,
        "width": 0,
    }


def _line_ends(series: Sequence[Series]) -> list[dict[str, Any]]:
    return [
        {
            "text": _text(one.name),
            "x": one.x[-1],
            "y": one.y[-1],
            "xanchor": "left",
            "yanchor": "middle",
            "xshift": 8,
            "showarrow": False,
            "font": {"color": paint("muted" if one.colour == "control" else one.colour), "size": 12},
        }
        for one in series
        if len(one.x)
    ]


def _axes(figure: go.Figure, *, y_format: str, x_title: str, dates: bool, from_zero: bool) -> None:
    figure.update_xaxes(showgrid=False, nticks=7, title_text=_text(x_title) or None)
    if dates:
        day = pgettext("date on a chart axis, in the words of d3", "%-d %b")
        # Marks each few hours tell the time too, or a day would stand there several times.
        within_a_day = {"dtickrange": [None, DAY_MS - 1], "value": f"{day} %H:%M"}
        figure.update_xaxes(type="date", tickformat=day, tickformatstops=[within_a_day])
    figure.update_yaxes(nticks=5, tickformat=y_format, rangemode="tozero" if from_zero else "normal")
    counts = [value for trace in figure.data for value in trace.y or () if value is not None]
    if y_format == WHOLE and counts and max(counts) < N_FEW:
        # Halves of a count would read 0, 1, 1.
        figure.update_yaxes(dtick=1)


def _at_least_a_day(figure: go.Figure) -> None:
    """Let the axis be a day wide: around a single moment it would be a second, with marks of parts of it."""
    moments = np.array([one for trace in figure.data for one in trace.x or ()], "datetime64[s]")
    half = np.timedelta64(DAY_MS // 2, "ms")
    if len(moments) and moments.max() - moments.min() < 2 * half:
        figure.update_xaxes(range=[str(moments.min() - half), str(moments.max() + half)])


def _text(words: str) -> str:
    # Plotly turns tags into style attributes, which the content policy refuses.
    return str(words).replace("<", "‹").replace(">", "›")


def _named(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _named(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_named(value) for value in node]
    return _colour_name(node) if isinstance(node, str) and node.startswith("rgba(") else node


def _colour_name(colour: str) -> str:
    red, green, blue, alpha = colour.removeprefix("rgba(").removesuffix(")").split(",")
    name = NAMES.get((int(red), int(green), int(blue)))
    if name is None:
        return colour
    return name if float(alpha) == 1 else f"{name}/{float(alpha):g}"
