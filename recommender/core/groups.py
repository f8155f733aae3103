"""Does any group of users get worse picks than the whole, and do popular items crowd the others out?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.core.interactions import PURCHASE, bought_items
from recommender.core.intervals import Interval, interval, interval_of_many, resampled_means
from recommender.core.splitting import Log, Split

# With fewer tested users nothing is said of a group; small countries are put together.
MIN_GROUP = 30
OTHER = "other"
N_BANDS = 5
# The most popular tenth, what follows up to the half, and the long tail.
PARTS = (("head", 0.1), ("middle", 0.5), ("tail", 1.0))


@dataclass(frozen=True)
class Group:
    """Some of the tested users.

    by : "orders", "country" or "price"; name : of the group
    members : bool array of shape (n_test_users,)
    least, most : range of what they were grouped by, for orders and prices
    """

    by: str
    name: str
    members: np.ndarray
    least: float | None = None
    most: float | None = None


def order_days(log: Log, split: Split, rows: np.ndarray) -> np.ndarray:
    """Return on how many days each user (row) ordered before the split, int array of shape (len(rows),).

    Orders of one day count as one; in a file without a clock each order counts.
    """
    users, events = _orders_of(log, split, rows)
    days = np.floor(log.days[events]).astype(np.int64)
    pairs = np.unique(np.stack([users, days]), axis=1)
    return np.bincount(pairs[0], minlength=len(rows))


def mean_prices(log: Log, split: Split, rows: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Return the mean price of what each user (row) ordered before the split, shape (len(rows),), nan = unknown.

    ``prices`` has shape (n_events,), nan = unknown.
    """
    users, events = _orders_of(log, split, rows)
    priced = ~np.isnan(prices[events])
    users, paid = users[priced], prices[events][priced].astype(float)
    n = np.bincount(users, minlength=len(rows))
    total = np.bincount(users, paid, len(rows))
    return np.divide(total, n, out=np.full(len(rows), np.nan), where=n > 0)


def _orders_of(log: Log, split: Split, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the orders of some users before the split: (place of the user in ``rows``, number of the event)."""
    place = np.full(log.n_users, -1)
    place[rows] = np.arange(len(rows))
    events = np.flatnonzero(split.learnt & (log.kinds == PURCHASE) & (place[log.users] >= 0))
    return place[log.users[events]], events


def by_orders(n_orders: np.ndarray) -> Iterator[Group]:
    """Yield new users (one order at most), and light and heavy ones: up to and above the median of the rest."""
    new = n_orders <= 1
    limit = np.median(n_orders[~new]) if not new.all() else 1
    for name, members in (("new", new), ("light", ~new & (n_orders <= limit)), ("heavy", n_orders > limit)):
        yield _ranged("orders", name, members & (new if name == "new" else ~new), n_orders)


def by_country(countries: np.ndarray) -> Iterator[Group]:
    """Yield the countries with enough users, the largest first, and the others together; "" = unknown, left out."""
    names, counts = np.unique(countries[countries != ""].astype(str), return_counts=True)
    large = [str(name) for name in names[np.argsort(-counts, kind="stable")][: (counts >= MIN_GROUP).sum()]]
    for name in large:
        yield Group("country", name, countries == name)
    yield Group("country", OTHER, (countries != "") & ~np.isin(countries.astype(str), large))


def by_price(prices: np.ndarray) -> Iterator[Group]:
    """Yield fifths of the users by the mean price of what they bought, the cheapest first, named "1" to "5"."""
    known = ~np.isnan(prices)
    if not known.any():
        return
    edges = np.quantile(prices[known], np.arange(1, N_BANDS) / N_BANDS)
    bands = np.where(known, np.searchsorted(edges, prices), -1)
    for band in range(N_BANDS):
        yield _ranged("price", str(band + 1), bands == band, prices)


def _ranged(by: str, name: str, members: np.ndarray, values: np.ndarray) -> Group:
    if not members.any():
        return Group(by, name, members)
    least, most = float(values[members].min()), float(values[members].max())
    return Group(by, name, members, round(least, 2), round(most, 2))


def compared(values: np.ndarray, groups: Sequence[Group], seed: int = 0) -> list[dict[str, Any]]:
    """Return how well each group is served, beside all tested users.

    Parameters
    ----------
    values : float array of shape (n_test_users,), a metric of one model.
    groups : those with fewer than MIN_GROUP users are left out, and all of a kind where only one is left.
    seed : int

    Returns
    -------
    For each group "by", "group", "least", "most", "shoppers"; the mean as "ndcg", "ndcg_low", "ndcg_high"; and
    "difference", "difference_low", "difference_high": group minus whole on the same resamples (bootstrap over all
    users; those of all groups together hold with 95 %). "worse": that interval lies below zero.

    Source: Ekstrand et al. (2018), FAT*, "All the cool kids, how do they fit in?".
    """
    told = [group for group in groups if group.members.sum() >= MIN_GROUP]
    told = [group for group in told if sum(other.by == group.by for other in told) > 1]
    if not told:
        return []
    members = np.stack([group.members for group in told], axis=1).astype(float)
    means = resampled_means(np.column_stack([values, members, members * values[:, None]]), seed)
    whole, shares, sums = means[:, :1], means[:, 1 : len(told) + 1], means[:, len(told) + 1 :]
    # A group of thirty that is never drawn: once in 10^13 resamples.
    of_group = sums / np.maximum(shares, 1 / len(values))
    rows = []
    for n, group in enumerate(told):
        mean = interval(values[group.members].mean(), of_group[:, n])
        apart = interval_of_many(mean["value"] - values.mean(), of_group[:, n] - whole[:, 0], len(told))
        rows.append(_told(group, mean, apart))
    return rows


def sure_differences(
    differences: Mapping[str, np.ndarray], groups: Sequence[Group], seed: int = 0
) -> list[dict[str, Any]]:
    """Return the groups in which a model is better, or worse, than another one for sure.

    Parameters
    ----------
    differences : for each other model, float array of shape (n_test_users,): this model's metric minus the other's.
    groups : those with fewer than MIN_GROUP users are left out.
    seed : int

    Returns
    -------
    For each group "by", "group", "least", "most", "shoppers", and "over": {other model: [mean difference in the group,
    low, high]} of those whose interval does not contain zero; groups without any are left out. For each other model
    the intervals of all groups together hold with 95 %.
    """
    if not differences:
        return []
    names, values = list(differences), np.column_stack(list(differences.values()))
    judged = [group for group in groups if group.members.sum() >= MIN_GROUP]
    rows = []
    for group in judged:
        ours = values[group.members]
        drawn = resampled_means(ours, seed)
        told = {name: interval_of_many(ours[:, n].mean(), drawn[:, n], len(judged)) for n, name in enumerate(names)}
        sure = {name: one for name, one in told.items() if one["low"] > 0 or one["high"] < 0}
        if sure:
            over = {name: [round(one[end], 5) for end in ("value", "low", "high")] for name, one in sure.items()}
            about = {"by": group.by, "group": group.name, "least": group.least, "most": group.most}
            rows.append(about | {"shoppers": len(ours), "over": over})
    return rows


def _told(group: Group, mean: Interval, difference: Interval) -> dict[str, Any]:
    numbers = {"ndcg": mean["value"], "ndcg_low": mean["low"], "ndcg_high": mean["high"]}
    numbers |= {"difference": difference["value"]}
    numbers |= {"difference_low": difference["low"], "difference_high": difference["high"]}
    return {
        "by": group.by, "group": group.name, "least": group.least, "most": group.most,
        "shoppers": int(group.members.sum()),
        **{name: round(number, 5) for name, number in numbers.items()},
        "worse": bool(difference["high"] < 0),
    }  # fmt: skip


def popularity_bias(split: Split, exposure: np.ndarray) -> list[dict[str, Any]]:
    """Return how often popular and rare items are shown, beside how often they are bought.

    Parameters
    ----------
    split : popularity is the number of distinct buyers before it; equally popular items stand in the order of the code.
    exposure : int array of shape (n_items,), in how many lists each item stood.

    Returns
    -------
    For the most popular tenth ("head"), those up to the half ("middle") and the rest ("tail") of the items that were
    bought before the split or shown: "part", "products"; and shares in [0, 1] of all "purchases" (distinct pairs of
    user and item) before the split, of "purchases_after" it by tested users, and of "exposure".

    Source: Abdollahpouri et al. (2019), RMSE workshop, "The unfairness of popularity bias in recommendation".
    """
    buyers = np.bincount(bought_items(split.train).indices, minlength=len(exposure))
    after = np.bincount(split.truth.indices, minlength=len(exposure))
    order = np.argsort(-buyers, kind="stable")
    order = order[(buyers > 0)[order] | (exposure > 0)[order]]
    ends = [int(np.ceil(share * len(order))) for _part, share in PARTS]
    counts = {"purchases": buyers, "purchases_after": after, "exposure": exposure}
    answer, start = [], 0
    for (part, _share), end in zip(PARTS, ends, strict=True):
        items = order[start:end]
        shares = {name: round(float(n[items].sum() / max(n[order].sum(), 1)), 5) for name, n in counts.items()}
        answer.append({"part": part, "products": len(items)} | shares)
        start = end
    return answer
