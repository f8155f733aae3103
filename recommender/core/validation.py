"""Which part of a history stands in for the future when a model is chosen inside it.

A choice is as good as its rehearsal is like the real question. A mail to shoppers who keep coming back asks for what
they buy in the next weeks: a split by time. Where shoppers come once, nobody known before a date buys after it, and
the question is what each buys next: her last purchase is held back. Where things are put down by the dozen in one
sitting (ratings of films), their order says nothing, and a share of each shopper's purchases is held back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.core.evaluation import Exam
from recommender.core.interactions import PURCHASE, Interactions
from recommender.core.splitting import Log, Split, rolling_splits, split_where

TIME, LAST, SHARE = "time", "last", "share"
# Part of the history that is held back, by time or of each shopper's purchases.
HELD = 0.2
N_WINDOWS = 2
# The split by time is a fair rehearsal if it can test this share of the shoppers asked for, or if this share of the
# shoppers who buy after it was known before it.
ASKED_SHARE, RETURNING_SHARE = 0.2, 0.5
# A shopper's purchases of one day are put down together if there are this many; if most are, the order is no order.
SITTING = 10
# Events of one product that lie no further apart than this (days) are one wish.
DAY = 1.0
# More test shoppers cost time and tell no more than the standard error of the data allows.
MAX_CHECKED, MAX_LEARNT = 2000, 12_000


@dataclass(frozen=True)
class Validation:
    """The rehearsals, the newest first, each on at most 2,000 shoppers; ``kind`` is "time", "last" or "share"."""

    kind: str
    exams: Sequence[Exam]


def seen_from_end(log: Log, has_clock: bool) -> Interactions:
    """Return all events as seen from the newest one; without a clock nothing is older than anything else."""
    end = float(log.days.max()) if len(log.days) else 0.0
    return log.seen(log.liked, end if has_clock else float("nan"))


def validation(log: Log, asked: np.ndarray, *, has_clock: bool, k: int, repeats: bool, seed: int) -> Validation:
    """Choose the kind of rehearsal for these shoppers and make its windows.

    Parameters
    ----------
    asked : int array of user codes, those who will get recommendations; -1 = unknown to the history.
    has_clock : bool, False = ``log.days`` are positions in each shopper's own order.
    """
    kind = _kind(log, asked, has_clock)
    held = splits(log, kind, has_clock=has_clock, repeats=repeats, seed=seed)
    exams = [sample(Exam(split, k=k, repeats=repeats, seed=seed), MAX_CHECKED, seed) for split in held]
    return Validation(kind, [exam for exam in exams if exam.n_test_users])


def splits(log: Log, kind: str, *, has_clock: bool, repeats: bool, seed: int) -> list[Split]:
    """Return N_WINDOWS splits of this kind, the newest first."""
    if not len(log.days):
        return []
    return {TIME: _by_time, LAST: _by_last, SHARE: _by_share}[kind](log, has_clock, repeats, seed)


def sample(exam: Exam, n: int, seed: int) -> Exam:
    """Return the exam for n of its users, drawn by the seed; all of them if there are no more."""
    if exam.n_test_users <= n:
        return exam
    return of_users(exam, np.sort(np.random.default_rng(seed).choice(exam.n_test_users, n, replace=False)))


def of_users(exam: Exam, rows: np.ndarray) -> Exam:
    """Return the exam for some of its test users: int array of their places, ascending."""
    return replace(exam, split=replace(exam.split, tested=exam.tested[rows], truth=exam.truth[rows]))


def _kind(log: Log, asked: np.ndarray, has_clock: bool) -> str:
    if not has_clock or not len(log.days):
        return LAST
    bought = log.kinds == PURCHASE
    start, end = float(log.days.min()), float(log.days.max())
    at = start + (1 - HELD) * (end - start)
    split = split_where(log, log.days < at, log.days >= at, at)
    after = np.unique(log.users[bought & (log.days >= at)])
    returning = len(split.tested) / max(len(after), 1)
    known = np.unique(asked[asked >= 0])
    if np.isin(known, split.tested).mean() >= ASKED_SHARE if len(known) else False:
        return TIME
    if returning >= RETURNING_SHARE:
        return TIME
    visits = np.unique(np.stack([log.users[bought], np.floor(log.days[bought])]), axis=1, return_counts=True)[1]
    together = visits[visits >= SITTING].sum() / max(visits.sum(), 1)
    return SHARE if together >= RETURNING_SHARE else LAST


def _by_time(log: Log, has_clock: bool, repeats: bool, seed: int) -> list[Split]:
    """Hold back the last fifth of the time, then the fifth before it."""
    return list(rolling_splits(log, HELD, N_WINDOWS))[::-1]


def _by_last(log: Log, has_clock: bool, repeats: bool, seed: int) -> list[Split]:
    """Hold back each shopper's last purchase, then the one before it, with all that she did since.

    What else she did with that product within a day (a view a minute before) belongs to the purchase and goes with it,
    without a clock all of it: a model that may see it scores nearly 1 here and nothing in a mail. What she did before
    stays, since a mail would know it; other purchases of it stay where repeats count.
    """
    order = np.lexsort((np.arange(len(log.users)), log.days, log.users))
    users, items, bought = log.users[order], log.items[order], log.kinds[order] == PURCHASE
    days = log.days[order]
    place = np.arange(len(order))
    made, limit = [], np.full(log.n_users, len(order))
    at = float(log.days.max()) if has_clock and len(log.days) else float("nan")
    for _n in range(N_WINDOWS):
        last = np.full(log.n_users, -1)
        np.maximum.at(last, users[bought & (place < limit[users])], place[bought & (place < limit[users])])
        there = last >= 0
        held = np.zeros(len(order), bool)
        held[last[there]] = True
        its_item = np.full(log.n_users, -1)
        its_item[there] = items[last[there]]
        bought_at = np.full(log.n_users, np.inf)
        bought_at[there] = days[last[there]]
        before = ~there[users] | (place < last[users])
        earlier = has_clock & (days < bought_at[users] - DAY)
        learnt = before & ((items != its_item[users]) | (bought & repeats) | earlier)
        back = np.empty(len(order), int)
        back[order] = place
        made.append(split_where(log, learnt[back], held[back], at))
        limit = np.where(there, last, 0)
    return made


def _by_share(log: Log, has_clock: bool, repeats: bool, seed: int) -> list[Split]:
    """Hold back a random fifth of the pairs of shopper and product that were bought, with all events of them."""
    pairs = log.users.astype(np.int64) * max(log.n_items, 1) + log.items
    distinct, place = np.unique(pairs, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(distinct)) / max(len(distinct), 1)
    at = float(log.days.max())
    made = []
    for n in range(N_WINDOWS):
        held = ((drawn >= n * HELD) & (drawn < (n + 1) * HELD))[place]
        made.append(split_where(log, ~held, held, at))
    return made
