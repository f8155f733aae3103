"""What the challenger looks at: one row of numbers per shopper, as of a moment."""

from __future__ import annotations

import numpy as np

from segments.core.order_book import Known

# The parts of a reason: which columns belong together when one asks "what if this were as usual?".
GROUPS: dict[str, tuple[str, ...]] = {
    "recency": ("since", "overdue"),
    "orders": ("n", "x", "n_30", "n_90", "n_180", "n_365", "gap", "season"),
    "tenure": ("age",),
    "spending": ("mean", "last_money", "money_90", "money_365"),
    "visits": ("views_30", "views_90", "carts_90", "last_seen"),
    "emails": ("opens_90", "clicks_90"),
}
COLUMNS: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
# The columns of activity, in the order in which the database gives them.
ACTIVITY = ("views_30", "views_90", "carts_90", "last_seen", "opens_90", "clicks_90")
# Days since she was last seen, for who was not seen within them.
UNSEEN = 90.0


def no_activity(n: int) -> np.ndarray:
    """Return the activity of shoppers of whom only orders are known; float32 array of shape (n, 6)."""
    activity = np.zeros((n, len(ACTIVITY)), np.float32)
    activity[:, ACTIVITY.index("last_seen")] = UNSEEN
    return activity


def matrix(known: Known, activity: np.ndarray) -> np.ndarray:
    """Return the features.

    Parameters
    ----------
    known : Known
    activity : float array of shape (n_buyers, 6), columns as ACTIVITY, of the 90 days before the same moment

    Returns
    -------
    float32 array of shape (n_buyers, len(COLUMNS))
    """
    columns = {
        "since": known.since,
        # How late she is, in her own rhythm.
        "overdue": known.since / np.maximum(known.gap, 1.0),
        "n": known.n,
        "x": known.x,
        "gap": known.gap,
        "season": known.season,
        "age": known.age,
        "mean": known.mean,
        "last_money": known.last_money,
        "money_90": known.money_within[:, 1],
        "money_365": known.money_within[:, 3],
    }
    columns |= {name: known.n_within[:, place] for place, name in enumerate(("n_30", "n_90", "n_180", "n_365"))}
    columns |= {name: activity[:, place] for place, name in enumerate(ACTIVITY)}
    return np.column_stack([columns[name].astype(np.float32) for name in COLUMNS])


def places(group: str) -> list[int]:
    """Return the places of a group's columns."""
    return [COLUMNS.index(name) for name in GROUPS[group]]
