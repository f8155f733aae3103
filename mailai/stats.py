"""Small statistics that several rooms need. Pure: no database, no clock, no chance."""

from math import sqrt
from statistics import NormalDist


def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Range in which the true share lies, given k successes out of n.

    Parameters
    ----------
    k : int, 0 <= k <= n
        Number of successes.
    n : int, n >= 0
        Number of trials.
    level : float, 0 < level < 1
        Confidence; 0.95 everywhere on the pages.

    Returns
    -------
    (low, high), both in [0, 1]. Without a trial nothing is known: (0, 1).

    Raises
    ------
    ValueError : k is outside 0..n, or level is outside (0, 1).

    Source: Wilson (1927), JASA 22(158), 209-212, without continuity correction.
    """
    if not 0 <= k <= n:
        raise ValueError(f"k={k} is outside 0..{n}.")
    if not 0 < level < 1:
        raise ValueError(f"level={level} is outside (0, 1).")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = k / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The exact ends are 0 at k=0 and 1 at k=n; floating point leaves 1e-17 there.
    low = 0.0 if k == 0 else max(0.0, middle - half)
    high = 1.0 if k == n else min(1.0, middle + half)
    return low, high
