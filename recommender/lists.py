"""Lists for the shoppers of a file, learnt from a history file: no database, so that a shop can be tried out."""

import csv
import gzip
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from mailai.errors import InputError
from recommender.core.algorithms import ALGORITHMS, COMPOSITES, create
from recommender.core.auto import Choice, Search, choose, unheard
from recommender.core.base import Recommender
from recommender.core.catalogue import Catalogue
from recommender.core.fallback import filled
from recommender.core.interactions import Interactions, bought_items
from recommender.core.popular import MostPopular
from recommender.core.ranker import TwoStage
from recommender.core.validation import Validation, seen_from_end, validation
from recommender.files import read, read_csv

AUTO = "auto"
# Most popular, lately and at last over all time: what a shopper gets about whom nothing is known.
LADDER: tuple[dict[str, float], ...] = ({}, {"half_life_share": 1.0})
Say = Callable[[str], None]
# The search plans by the size of the data; a machine so slow that it needs more than this part of the budget for it, in
# CPU seconds (what else runs beside it must not change the answer), is interrupted, and the answer says so.
LATE = 0.8


@dataclass(frozen=True)
class Options:
    """How long lists are, and who makes them; ``repeats``: may they hold what the shopper bought before?"""

    k: int = 10
    algorithm: str = AUTO
    repeats: bool = True
    budget: float = 300.0
    seed: int = 0


def recommend(
    history: str, users: str, out: str, options: Options, *, items: str | None = None, say: Say | None = None
) -> dict[str, Any]:
    """Learn from a behaviour file and write ``user_id,item_id,rank,score`` for the shoppers of another.

    ``auto`` chooses and tunes inside the history; the same files and seed give the same output.

    Raises
    ------
    InputError : a file is missing or not what it should be, k or the budget is too small, or the algorithm is unknown.
    """
    _check(options)
    asked = _asked(users)
    shop = read(history, items)
    log, has_clock, catalogue = shop.log, shop.has_clock, shop.catalogue
    codes = shop.users.codes(asked)
    rehearsal = validation(log, codes, has_clock=has_clock, k=options.k, repeats=options.repeats, seed=options.seed)
    choice, cut = _choice(options, rehearsal, catalogue, say)
    model = choice.model
    everything = seen_from_end(log, has_clock)
    model.fit(everything, catalogue)
    known = np.flatnonzero(codes >= 0)
    picks, scores = _lists(model, everything, codes, options)
    _write(out, asked, picks, scores, shop.items.ids)
    return {
        "algorithm": model.name,
        "params": model.params,
        "cut_short": cut,
        "validation": {
            "kind": rehearsal.kind,
            "windows": [exam.n_test_users for exam in rehearsal.exams],
            "table": choice.table,
        },
        "shoppers": len(asked),
        "unknown": len(asked) - len(known),
        "rows": int((picks >= 0).sum()),
    }


def _choice(options: Options, rehearsal: Validation, catalogue: Catalogue, say: Say | None) -> tuple[Choice, bool]:
    """Return the model to fit, and whether the clock cut the search short."""
    if options.algorithm == TwoStage.name:
        params = {"kind": rehearsal.kind, "repeats": options.repeats, "seed": options.seed}
        return Choice(create(options.algorithm, params), []), False
    if options.algorithm != AUTO:
        return Choice(create(options.algorithm), []), False
    started = time.process_time()

    def late() -> bool:
        return time.process_time() - started > LATE * options.budget

    threads = len(os.sched_getaffinity(0))
    search = Search(rehearsal, catalogue, options.budget, options.seed, threads, say=say or unheard, late=late)
    return choose(search), search.cut


def _check(options: Options) -> None:
    if options.k < 1:
        raise InputError(_("k is %(k)s; a list needs at least 1 place.") % {"k": options.k})
    if not 0 < options.budget < math.inf:
        raise InputError(_("The budget must be more than 0 seconds, and come to an end."))
    names = [AUTO, *ALGORITHMS, *COMPOSITES]
    if options.algorithm in names:
        return
    near = get_close_matches(options.algorithm, names, n=1, cutoff=0.0)[0]
    text = _("There is no algorithm “%(name)s”. Did you mean %(near)s? There are: %(all)s.")
    raise InputError(text % {"name": options.algorithm, "near": near, "all": ", ".join(names)})


def _asked(path: str) -> np.ndarray:
    """Read the column user_id, each shopper once, in the order of the file."""
    frame = read_csv(path)
    if "user_id" not in frame.columns:
        raise InputError(_("%(path)s has no column user_id.") % {"path": path})
    asked = frame["user_id"].filter(frame["user_id"] != "").unique(maintain_order=True)
    if asked.is_empty():
        raise InputError(_("%(path)s names no shopper.") % {"path": path})
    return np.asarray(asked.to_numpy(), object)


def _lists(
    model: Recommender, everything: Interactions, codes: np.ndarray, options: Options
) -> tuple[np.ndarray, np.ndarray]:
    """Ask the model for whom it knows, and fill every list from the ladder."""
    known, k = codes >= 0, options.k
    users = everything.of(codes[known])
    exclude = None if options.repeats else bought_items(users)
    items, scores = np.full((len(codes), k), -1, np.int32), np.zeros((len(codes), k), np.float32)
    ladder = [MostPopular(**params).fit(everything) for params in LADDER]
    found = model.recommend(users, k, exclude=exclude)
    items[known], scores[known] = filled(*found, ladder, users, exclude)
    stranger = everything.of(np.empty(0, int))
    nobody = Interactions(**{**vars(stranger), "n_users": 1, "known": np.full(1, -1, np.int32)})
    none = np.full((1, k), -1, np.int32), np.zeros((1, k), np.float32)
    items[~known], scores[~known] = filled(*none, ladder, nobody)
    return items, scores


def _write(out: str, asked: np.ndarray, items: np.ndarray, scores: np.ndarray, ids: np.ndarray) -> None:
    opened = gzip.open if out.endswith(".gz") else open
    try:
        with opened(out, "wt", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["user_id", "item_id", "rank", "score"])
            for user, codes, marks in zip(asked, items, scores, strict=True):
                there = codes >= 0
                for rank, (item, score) in enumerate(zip(ids[codes[there]], marks[there], strict=True), 1):
                    rows.writerow([user, item, rank, f"{score:.6g}"])
    except OSError as error:
        raise InputError(_("%(path)s can't be written: %(why)s.") % {"path": out, "why": error.strerror}) from error
