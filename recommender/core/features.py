"""What is known, at the time of decision, of a user, an item and the two together: columns for a learned ranker.

Everything is seen from the cut-off of the interactions. Where nothing is known a cell is nan, which the trees take.
Ages are days; without a clock they are 0, and the steps (events of the user since then) tell the order.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core.catalogue import Catalogue
from recommender.core.interactions import KINDS, Interactions

# Half-lives of popularity as shares of the time span.
SHARES = (0.02, 0.1, 1.0)
SHORTEST_DAYS = 0.25
WANTED = np.array([kind in {"cart", "favourite"} for kind in KINDS])


@dataclass(frozen=True)
class Items:
    """What is known of each item; every array is of shape (n_items,).

    recent, monthly, always : decayed distinct buyers, the three half-lives of SHARES.
    touched : distinct users who did anything with it; converted : share of those who wanted it (cart, favourite) who
    bought it.
    repeat_rate : share of its buyers who bought it again; gap : median-like mean days between two purchases of it.
    age : days since it was first seen.
    price, category : of the catalogue; nan and -1 where it says nothing.
    """

    recent: np.ndarray
    monthly: np.ndarray
    always: np.ndarray
    touched: np.ndarray
    converted: np.ndarray
    repeat_rate: np.ndarray
    gap: np.ndarray
    age: np.ndarray
    price: np.ndarray
    category: np.ndarray

    @classmethod
    def of(cls, interactions: Interactions, catalogue: Catalogue) -> "Items":
        """Measure the items of the interactions."""
        n_items = interactions.n_items
        pairs = Pairs.of(interactions)
        items = pairs.keys % max(n_items, 1)
        bought, wanted = pairs.purchases > 0, pairs.wanted > 0
        popularity = []
        for share in SHARES:
            half_life = max(share * interactions.span, SHORTEST_DAYS)
            weights = np.exp2(-pairs.bought_age[bought] / half_life)
            popularity.append(np.bincount(items[bought], weights, n_items).astype(np.float32))
        buyers = np.bincount(items[bought], minlength=n_items)
        again = pairs.days > 1
        repeats = np.bincount(items[again], minlength=n_items)
        between = np.bincount(items[again], (pairs.first_age - pairs.bought_age)[again], n_items)
        times = np.bincount(items[again], pairs.days[again] - 1, n_items)
        age = np.full(n_items, np.nan, np.float32)
        np.fmax.at(age, interactions.items, interactions.ages)
        recent, monthly, always = popularity
        return cls(
            recent=recent,
            monthly=monthly,
            always=always,
            touched=np.bincount(items, minlength=n_items).astype(np.float32),
            converted=_ratio(
                np.bincount(items[wanted & bought], minlength=n_items), np.bincount(items[wanted], minlength=n_items)
            ),
            repeat_rate=_ratio(repeats, buyers),
            gap=_ratio(between, times),
            age=age,
            price=np.asarray(catalogue.prices, np.float32),
            category=np.asarray(catalogue.categories, np.int32),
        )

    @classmethod
    def none(cls) -> "Items":
        """Return the columns of no item."""
        return cls(**{one.name: np.empty(0, np.float32) for one in fields(cls)})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the columns by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Pairs:
    """What users did with single items, one row for each pair; arrays of shape (n_pairs,).

    keys : int64, user * n_items + item, sorted.
    purchases, wanted, looked : events of the pair: orders, carts and favourites, everything else.
    days : days on which it was bought; bought_age, first_age : age of the newest and the oldest purchase, nan = none.
    age, steps : days, and events of the user, since the newest event of the pair.
    """

    keys: np.ndarray
    purchases: np.ndarray
    wanted: np.ndarray
    looked: np.ndarray
    days: np.ndarray
    bought_age: np.ndarray
    first_age: np.ndarray
    age: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, users: Interactions) -> "Pairs":
        """Gather the events of the users by pair."""
        events = users.users.astype(np.int64) * max(users.n_items, 1) + users.items
        keys, place = np.unique(events, return_inverse=True)
        n = len(keys)
        bought = users.purchases
        wanted = WANTED[users.kinds]
        newest, oldest = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
        np.fmin.at(newest, place[bought], users.ages[bought])
        np.fmax.at(oldest, place[bought], users.ages[bought])
        day = np.unique(np.stack([place[bought], np.floor(users.ages[bought]).astype(np.int64)]), axis=1)[0]
        age, steps = np.full(n, np.inf, np.float32), np.full(n, np.inf, np.float32)
        np.minimum.at(age, place, users.ages)
        np.minimum.at(steps, place, (users.starts[1:][users.users] - 1 - np.arange(len(events))).astype(np.float32))
        return cls(
            keys=keys,
            purchases=np.bincount(place[bought], minlength=n),
            wanted=np.bincount(place[wanted], minlength=n),
            looked=np.bincount(place[~bought & ~wanted], minlength=n),
            days=np.bincount(day, minlength=n),
            bought_age=newest,
            first_age=oldest,
            age=age,
            steps=steps,
        )

    def newest(self, users: Interactions, n: int) -> csr_matrix:
        """Return a one at the item that each user turned to n-th last, 0 = the last; shape (n_users, n_items)."""
        owner, items = np.divmod(self.keys, max(users.n_items, 1))
        order = np.lexsort((self.steps, owner))
        starts = np.searchsorted(owner, np.arange(users.n_users))
        chosen = order[np.arange(len(order)) - starts[owner] == n]
        shape = (users.n_users, users.n_items)
        return csr_matrix((np.ones(len(chosen), np.float32), (owner[chosen], items[chosen])), shape=shape)


def columns(facts: Items, users: Interactions, pairs: Pairs, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the columns of candidates, float32 of shape (n_candidates, n_columns).

    Parameters
    ----------
    facts : of the data that the ranker's members were fitted on.
    users : Interactions of the users asked for; pairs : ``Pairs.of`` them.
    rows, items : int arrays of shape (n_candidates,): user and item of each candidate.

    Source: docs/recommender.md; the kind of features that won RecSys challenges on shop data, e.g. Schifferer et al.
    (2021), RecSys Challenge, "GPU accelerated boosted trees and deep neural networks for better recommender systems".
    """
    n_items = max(users.n_items, 1)
    keys = rows.astype(np.int64) * n_items + items
    found, place = np.zeros(len(keys), bool), np.zeros(len(keys), int)
    if len(pairs.keys):
        place = np.minimum(np.searchsorted(pairs.keys, keys), len(pairs.keys) - 1)
        found = pairs.keys[place] == keys
    pair = {one.name: _where(found, getattr(pairs, one.name), place) for one in fields(pairs) if one.name != "keys"}
    for name in ("purchases", "wanted", "looked", "days"):
        pair[name] = np.nan_to_num(pair[name])
    own = _of_users(facts, users, pairs)
    user = {name: values[rows] for name, values in own.items()}
    item = {one.name: getattr(facts, one.name)[items] for one in fields(facts) if one.name != "category"}
    her_gap = _ratio(pair["first_age"] - pair["bought_age"], pair["days"] - 1)
    made = {
        "trend": _ratio(item["recent"], item["monthly"]),
        "since_by_gap": _ratio(pair["bought_age"], np.where(pair["days"] > 1, her_gap, item["gap"])),
        "since_by_rhythm": _ratio(pair["bought_age"], user["rhythm"]),
        "price_by_usual": _ratio(item["price"], user["usual_price"]),
        "category_share": _category_share(facts, users, rows, items),
    }
    return np.stack([np.asarray(one, np.float32) for one in (pair | user | item | made).values()], axis=1)


def _of_users(facts: Items, users: Interactions, pairs: Pairs) -> dict[str, np.ndarray]:
    """Return what is known of each user, arrays of shape (n_users,)."""
    n, counts = users.n_users, np.diff(users.starts)
    bought = users.purchases
    day = np.unique(np.stack([users.users[bought], np.floor(users.ages[bought]).astype(np.int64)]), axis=1)[0]
    orders = np.bincount(day.astype(int), minlength=n)
    newest, last = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    oldest = np.full(n, np.nan, np.float32)
    np.fmin.at(newest, users.users, users.ages)
    np.fmin.at(last, users.users[bought], users.ages[bought])
    np.fmax.at(oldest, users.users[bought], users.ages[bought])
    owner = pairs.keys // max(users.n_items, 1)
    distinct = np.bincount(owner, minlength=n)
    priced = np.nan_to_num(facts.price[users.items[bought]], nan=0.0)
    n_priced = np.bincount(users.users[bought], priced > 0, n)
    logs = np.bincount(users.users[bought], np.log(np.maximum(priced, 1e-6)) * (priced > 0), n)
    return {
        "events": counts,
        "orders": orders,
        "distinct": distinct,
        "lines": np.bincount(users.users[bought], minlength=n),
        "recency": newest,
        "last_order": last,
        "rhythm": _ratio(oldest - last, orders - 1),
        "own_repeat_rate": _ratio(np.bincount(owner, pairs.days > 1, n), distinct),
        # Geometric mean: prices are skewed, and it needs no sort for each user.
        "usual_price": np.exp(_ratio(logs, n_priced)),
    }


def _category_share(facts: Items, users: Interactions, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the share of the user's events that fall into the item's category; nan = it has none."""
    n = int(facts.category.max(initial=-1)) + 1
    if not n:
        return np.full(len(rows), np.nan, np.float32)
    theirs = facts.category[users.items]
    there = theirs >= 0
    keys, counts = np.unique(users.users[there].astype(np.int64) * n + theirs[there], return_counts=True)
    total = np.maximum(np.bincount(users.users[there], minlength=users.n_users), 1)
    asked = rows.astype(np.int64) * n + facts.category[items]
    place = np.minimum(np.searchsorted(keys, asked), max(len(keys) - 1, 0))
    hits = np.where(keys[place] == asked, counts[place], 0) if len(keys) else np.zeros(len(asked))
    return np.where(facts.category[items] >= 0, hits / total[rows], np.nan)


def _where(found: np.ndarray, values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return values[place] where found, nan elsewhere."""
    answer = np.full(len(found), np.nan, np.float32)
    answer[found] = values[place[found]]
    return answer


def _ratio(above: Any, below: Any) -> np.ndarray:
    """Return above / below, nan where below is not above 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float32), np.asarray(below, np.float32))
    return np.divide(above, below, out=np.full(above.shape, np.nan, np.float32), where=below > 0)
