"""What the page of migration between stages shows."""

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
from django.utils.translation import gettext_lazy, ngettext, pgettext

from behaviour.models import Shopper
from mailai.errors import InputError
from mailai.ui import numbers
from segments import stage_history
from segments.core import lifecycle, moves
from segments.models import Profile, StageHistory, StageSnapshot
from segments.stage_history import Pair

BOUGHT = tuple(stage for stage in moves.STAGES if stage != lifecycle.LEAD)
DRIFTED = (lifecycle.AT_RISK, lifecycle.DORMANT)
PRESENT = (lifecycle.NEW, lifecycle.PROMISING, lifecycle.LOYAL)
NOT_YET = gettext_lazy("No order yet")
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
    """Two days to compare, and all that could be chosen."""

    history: StageHistory
    days: list[StageSnapshot]
    before: StageSnapshot
    after: StageSnapshot

    @property
    def query(self) -> dict[str, str]:
        """The choice as part of an address."""
        return {"from": self.before.on.isoformat(), "to": self.after.on.isoformat()}


def chosen(asked_from: str, asked_to: str) -> Chosen | None:
    """Return the days that were asked for; without any the last whole month. None while there are not two days.

    Raises
    ------
    InputError : one of them is no day that is kept, or they stand the wrong way round.
    """
    history = stage_history.newest()
    days = stage_history.snapshots(history)
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
    return Chosen(history, days, before, after)


def page(now: Chosen) -> dict[str, Any]:
    """Return the table between two days, what it says, and the way of each stage; a fixed number of queries."""
    table = stage_history.pair(now.before, now.after).table
    return {
        "chosen": now, "finding": finding(table), "rows": _rows(table, now), "stages": _names(BOUGHT),
        "days": [(one.on.isoformat(), day_label(one.on, now)) for one in now.days],
        "period": period(now), "rhythm": _rhythm(now.history), "cards": _cards(now),
    }  # fmt: skip


def finding(table: np.ndarray) -> str:
    """Say in a sentence how many fell behind and how many came back."""
    loyal = _sum(table, (lifecycle.LOYAL,), DRIFTED)
    back = _sum(table, DRIFTED, PRESENT)
    if loyal:
        words = {"n": numbers.count(loyal), "back": numbers.count(back)}
        return (
            ngettext(
                "%(n)s loyal shopper became at risk or dormant, %(back)s came back",
                "%(n)s loyal shoppers became at risk or dormant, %(back)s came back",
                loyal,
            )
            % words
        )
    fell = _sum(table, PRESENT, DRIFTED)
    if fell or back:
        words = {"n": numbers.count(fell), "back": numbers.count(back)}
        return (
            ngettext(
                "%(n)s shopper became at risk or dormant, %(back)s came back",
                "%(n)s shoppers became at risk or dormant, %(back)s came back",
                fell,
            )
            % words
        )
    return _("Nobody fell behind and nobody came back")


def period(now: Chosen) -> str:
    """Say between which days."""
    words = {"first": day_label(now.before.on, now), "last": day_label(now.after.on, now)}
    return _("From %(first)s to %(last)s") % words


def day_label(on: date, now: Chosen) -> str:
    """Name a kept day: the end of a month, or today."""
    if on == now.days[-1].on:
        return _("today (%(day)s)") % {"day": numbers.day(on)}
    return _("end of %(month)s") % {"month": date_format(on, pgettext("date format of a month", "F Y"))}


def stage_name(stage: str) -> str:
    """Return a stage in words; who has not ordered yet is told apart from nobody else."""
    return str(NOT_YET) if stage == lifecycle.LEAD else str(Profile.Stage(stage).label)


def people(now: Chosen, was: str, became: str) -> dict[str, Any]:
    """Return who went from one stage to another: how many, in which stage they are now, and those who spent most.

    Raises
    ------
    InputError : there is no such stage.
    """
    if was not in moves.STAGES or became not in BOUGHT:
        raise InputError(_("There is no such stage. Choose a cell of the table."))
    found = stage_history.pair(now.before, now.after)
    ids = found.who(was, became)
    return {
        "ids": ids, "n": len(ids), "was": stage_name(was), "became": stage_name(became),
        "stages_now": _stages_now(now, found, ids), "shoppers": _some(ids),
        "name": move_name(now, was, became),
    }  # fmt: skip


def move_name(now: Chosen, was: str, became: str) -> str:
    """Name the shoppers of a cell."""
    words = {"was": stage_name(was), "became": stage_name(became)}
    words |= {"first": now.before.on.isoformat(), "last": now.after.on.isoformat()}
    return _("%(was)s → %(became)s, %(first)s to %(last)s") % words


def _usual(days: Sequence[StageSnapshot]) -> tuple[StageSnapshot, StageSnapshot]:
    """Return the last whole month, or what there is of one."""
    return (days[-3], days[-2]) if len(days) > 2 else (days[-2], days[-1])


def _sum(table: np.ndarray, was: Sequence[str], became: Sequence[str]) -> int:
    rows, columns = ([moves.STAGES.index(one) for one in names] for names in (was, became))
    return int(table[np.ix_(rows, columns)].sum())


def _names(stages: Sequence[str]) -> list[str]:
    return [stage_name(one) for one in stages]


def _rows(table: np.ndarray, now: Chosen) -> list[dict[str, Any]]:
    address = reverse("segments:migration_people")
    rows = []
    for code, was in enumerate(moves.STAGES):
        # Who has not ordered on either day is nobody of this table.
        counted = table[code, 1:]
        total = int(counted.sum())
        cells = [
            Cell(
                int(n), n / max(total, 1), int(np.ceil(SHADES * n / max(total, 1))), was == became,
                f"{address}?{urlencode(now.query | {'was': was, 'is': became})}",
            )
            for became, n in zip(BOUGHT, counted, strict=True)
        ]  # fmt: skip
        rows.append({"stage": stage_name(was), "total": total, "cells": cells})
    return rows


def _cards(now: Chosen) -> list[dict[str, Any]]:
    cards = []
    for stage in BOUGHT:
        change = now.after.counts.get(stage, 0) - now.before.counts.get(stage, 0)
        cards.append({
            "label": stage_name(stage), "value": numbers.count(now.after.counts.get(stage, 0)),
            "change": numbers.change(change) if change else _("no change"),
            "icon": "arrow-up-right" if change > 0 else "arrow-down-right" if change < 0 else "minus",
            "kind": _kind(stage, change),
            "range": day_label(now.after.on, now),
            "values": [one.counts.get(stage, 0) for one in now.days],
        })  # fmt: skip
    return cards


def _kind(stage: str, change: int) -> str:
    """Say whether a change is good: more of those who are here, fewer of those who drift."""
    return "flat" if not change else "up" if (change > 0) == (stage in PRESENT) else "down"


def _rhythm(history: StageHistory) -> str:
    limits = {name: numbers.count(round(days)) for name, days in history.thresholds.items()}
    return _(
        "Measured on all days by what is usual in your shop today: at risk from %(at_risk_days)s days after the last "
        "order, dormant from %(dormant_days)s."
    ) % limits  # fmt: skip


def _stages_now(now: Chosen, found: Pair, ids: np.ndarray) -> list[tuple[str, int]]:
    last = found if now.after.pk == now.days[-1].pk else stage_history.pair(now.after, now.days[-1])
    counted = moves.counts(last.after[np.isin(last.ids, ids, assume_unique=True)])
    return sorted(((stage_name(stage), n) for stage, n in counted.items() if n), key=lambda one: -one[1])


def _some(ids: np.ndarray) -> list[Shopper]:
    """Return up to twelve of them, from the first to the newest, those who spent most on top."""
    places = np.unique(np.linspace(0, max(len(ids) - 1, 0), SHOWN).round().astype(int))
    rows = Shopper.objects.filter(pk__in=ids[places].tolist() if len(ids) else []).select_related("profile")
    return list(rows.order_by("-profile__monetary", "pk"))
