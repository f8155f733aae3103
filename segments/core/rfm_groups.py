"""Named groups of recency and frequency scores.

The names and the ranges behind them are those in common use (for example the "RFM-Model" page of docs.churned.io, or
the groups of Shopify's CustomerRfmGroup). The ranges of the common table overlap; here each of the 25 pairs of scores
belongs to one group.
"""

import numpy as np

NONE = "none"
CHAMPIONS, LOYAL, POTENTIAL, NEW, PROMISING = "champions", "loyal", "potential", "new", "promising"
ATTENTION, SLEEPY, AT_RISK, CANT_LOSE, HIBERNATING = "attention", "sleepy", "at_risk", "cant_lose", "hibernating"
# A group's place here is its code; 0 = no order, so no scores.
GROUPS = (
    NONE, CHAMPIONS, LOYAL, POTENTIAL, NEW, PROMISING, ATTENTION, SLEEPY, AT_RISK, CANT_LOSE, HIBERNATING,
)  # fmt: skip
# By recency score, 1 (longest ago) to 5, and in a row by frequency score, 1 (fewest orders) to 5.
GRID = (
    (HIBERNATING, HIBERNATING, AT_RISK, AT_RISK, CANT_LOSE),
    (HIBERNATING, HIBERNATING, AT_RISK, AT_RISK, CANT_LOSE),
    (SLEEPY, SLEEPY, ATTENTION, LOYAL, LOYAL),
    (PROMISING, POTENTIAL, POTENTIAL, LOYAL, LOYAL),
    (NEW, POTENTIAL, POTENTIAL, CHAMPIONS, CHAMPIONS),
)
CODES = np.array([[GROUPS.index(name) for name in row] for row in GRID], np.uint8)


def groups(recency: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return the group of each shopper.

    Parameters
    ----------
    recency, frequency : int arrays of shape (n,), scores 1..5 (segments.core.rfm)

    Returns
    -------
    uint8 array of shape (n,), places in GROUPS
    """
    return CODES[recency - 1, frequency - 1]


def scores_of(group: str) -> list[tuple[int, int]]:
    """Return the (recency, frequency) scores that make a group."""
    return [(r + 1, f + 1) for r, row in enumerate(GRID) for f, name in enumerate(row) if name == group]
