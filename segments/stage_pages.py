"""What the page of migration between stages, or RFM groups, shows; its words are in segments.stage_words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui import numbers
from segments import stage_history, stage_words
from segments.core import moves
from segments.models import StageHistory, StageSnapshot
from segments.stage_history import Pair
from segments.stage_words import Kind

# Shades of the heat table, and how many shoppers of a cell its page shows.
SHADES, SHOWN = 5, 12


@dataclass(frozen=True)
class Cell:
    """A cell of the table: how many, their share of the row, its shade (0 to 5), and the page of who they are."""

    n: int
    share: float
    shade: int
    stayed: bool
    url: str


@dataclass(frozen=True)
class Chosen:
    """Two days to compare, what is told of shoppers then, and all days that could be chosen."""

    kind: Kind
    history: StageHistory
    days: list[StageSnapshot]
    before: StageSnapshot
    after: StageSnapshot

    @property
    def query(self) -> dict[str, str]:
        """The choice as part of an address."""
        by = {} if self.kind is stage_words.STAGES else {"by": self.kind.key}
        return by | {"from": self.before.on.isoformat(), "to": self.after.on.isoformat()}


def kind_of(asked: str) -> Kind:
    """Return what is to be told apart: stages unless RFM groups are asked for; InputError for anything else."""
    kind = stage_words.KINDS.get(asked or moves.STAGE)
    if kind is None:
        raise InputError(_("Choose lifecycle stages or RFM groups. Nothing else is kept."))
    return kind


def chosen(kind: Kind, asked_from: str, asked_to: str) -> Chosen | None:
    """Return the days that were asked for; without any the last whole month. None while there are not two days.

    Raises
    ------
    InputError : one of them is no day that is kept, or they stand the wrong way round.
    """
    history = stage_history.newest()
    days = stage_history.snapshots(history, kind.key)
    if history is None or len(days) < 2:
        return None
    before, after = _usual(days)
    if asked_from or asked_to:
        kept = {one.on.isoformat(): one for one in days}
        if asked_from not in kept or asked_to not in kept:
            raise InputError(_("Choose two of the days from the lists. Other days are not kept."))
        before, after = kept[asked_from], kept[asked_to]
        if before.on >= after.on:
            raise InputError(_("The first day must be before the second. Choose them the other way round."))
    return Chosen(kind, history, days, before, after)


def page(now: Chosen) -> dict[str, Any]:
    """Return the table between two days, what it says, and the way of each name; a fixed number of queries."""
    table, kind = stage_history.pair(now.before, now.after).table, now.kind
    return {
        "chosen": now, "finding": kind.told(table), "rows": _rows(table, now), "stages": kind.labels(),
        "days": [(one.on.isoformat(), day_label(one.on, now)) for one in now.days],
        "period": period(now), "rhythm": kind.rhythm(now.history), "cards": _cards(now),
        "legend": stage_words.legend() if kind is stage_words.RFM else [],
    }  # fmt: skip


def period(now: Chosen) -> str:
    """Say between which days."""
    words = {"first": day_label(now.before.on, now), "last": day_label(now.after.on, now)}
    return _("From %(first)s to %(last)s") % words


def day_label(on: date, now: Chosen) -> str:
    """Name a kept day: the end of a month, or today."""
    if on == now.days[-1].on:
        return _("today (%(day)s)") % {"day": numbers.day(on)}
    return _("end of %(month)s") % {"month": date_format(on, pgettext("date format of a month", "F Y"))}


def people(now: Chosen, was: str, became: str) -> dict[str, Any]:
    """Return who went from one name to another: how many, what they are now, and those who spent most.

    Raises
    ------
    InputError : there is no such stage or group.
    """
    kind = now.kind
    if was not in kind.names or became not in kind.bought:
        raise InputError(_("There is no such stage or group. Choose a cell of the table."))
    found = stage_history.pair(now.before, now.after)
    ids = found.who(was, became)
    return {
        "ids": ids, "n": len(ids), "was": kind.label(was), "became": kind.label(became),
        "stages_now": _names_now(now, found, ids), "shoppers": _some(ids, kind),
        "name": move_name(now, was, became),
    }  # fmt: skip


def move_name(now: Chosen, was: str, became: str) -> str:
    """Name the shoppers of a cell."""
    words = {"was": now.kind.label(was), "became": now.kind.label(became)}
    words |= {"first": now.before.on.isoformat(), "last": now.after.on.isoformat()}
    return _("%(was)s → %(became)s, %(first)s to %(last)s") % words


def _usual(days: Sequence[StageSnapshot]) -> tuple[StageSnapshot, StageSnapshot]:
    """Return the last whole month, or what there is of one."""
    return (days[-3], days[-2]) if len(days) > 2 else (days[-2], days[-1])


def _rows(table: np.ndarray, now: Chosen) -> list[dict[str, Any]]:
    address = reverse("segments:migration_people")
    rows = []
    for code, was in enumerate(now.kind.names):
        # Who has not ordered on either day is nobody of this table.
        counted = table[code, 1:]
        total = int(counted.sum())
        cells = [
            Cell(
                int(n), n / max(total, 1), int(np.ceil(SHADES * n / max(total, 1))), was == became,
                f"{address}?{urlencode(now.query | {'was': was, 'is': became})}",
            )
            for became, n in zip(now.kind.bought, counted, strict=True)
        ]  # fmt: skip
        rows.append({"stage": now.kind.label(was), "total": total, "cells": cells})
    return rows


def _cards(now: Chosen) -> list[dict[str, Any]]:
    cards = []
    for name in now.kind.bought:
        change = now.after.counts.get(name, 0) - now.before.counts.get(name, 0)
        cards.append({
            "label": now.kind.label(name), "value": numbers.count(now.after.counts.get(name, 0)),
            "change": numbers.change(change) if change else _("no change"),
            "icon": "arrow-up-right" if change > 0 else "arrow-down-right" if change < 0 else "minus",
            "kind": now.kind.trend(name, change),
            "range": day_label(now.after.on, now),
            "values": [one.counts.get(name, 0) for one in now.days],
        })  # fmt: skip
    return cards


def _names_now(now: Chosen, found: Pair, ids: np.ndarray) -> list[tuple[str, int]]:
    last = found if now.after.pk == now.days[-1].pk else stage_history.pair(now.after, now.days[-1])
    counted = moves.counts(last.after[np.isin(last.ids, ids, assume_unique=True)], now.kind.names)
    return sorted(((now.kind.label(name), n) for name, n in counted.items() if n), key=lambda one: -one[1])


def _some(ids: np.ndarray, kind: Kind) -> list[tuple[Shopper, str]]:
    """Return up to twelve of them and what they are now, from the first to the newest, who spent most on top."""
    places = np.unique(np.linspace(0, max(len(ids) - 1, 0), SHOWN).round().astype(int))
    rows = Shopper.objects.filter(pk__in=ids[places].tolist() if len(ids) else []).select_related("profile")
    found = rows.order_by("-profile__monetary", "pk")
    return [(one, kind.of_profile(one.profile) if hasattr(one, "profile") else "") for one in found]
