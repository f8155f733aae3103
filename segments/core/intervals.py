"""How sure a count from a sample is."""

import math

# Two-sided 99 %. The sample is fixed, so that one unlucky draw is met by many rules at once; by 99 % intervals at
# least 95 of 100 rules hold for practically every draw.
Z = 2.5758


def hits_range(hits: int, n_sampled: int, n_all: int) -> tuple[float, float]:
    """Return how many of all there are, at least and at most, when so many of a random sample are.

    The interval of Agresti and Coull, with the finite population's correction of the sample size; never below what was
    found, never above what is left when those who were found not to be are taken off.

    Parameters
    ----------
    hits : int, 0 <= hits <= n_sampled
    n_sampled : int, 1 <= n_sampled <= n_all; drawn without putting back
    n_all : int

    Returns
    -------
    (low, high), numbers of shoppers, hits <= low <= high <= n_all

    Raises
    ------
    ValueError : the counts contradict each other.

    Source: Agresti and Coull (1998), The American Statistician 52(2); Brown, Cai and DasGupta (2001), Statistical
    Science 16(2): conservative, also near 0 and 1. Correction: Cochran (1977), Sampling Techniques, 3rd ed., 2.6.
    """
    if not 0 <= hits <= n_sampled <= n_all or n_sampled < 1:
        raise ValueError("0 <= hits <= n_sampled <= n_all, and somebody sampled, must hold")
    if n_sampled == n_all:
        return float(hits), float(hits)
    n = n_sampled * (n_all - 1) / (n_all - n_sampled)
    widened = n + Z**2
    middle = (hits / n_sampled * n + Z**2 / 2) / widened
    half = Z * math.sqrt(middle * (1 - middle) / widened)
    low, high = n_all * (middle - half), n_all * (middle + half)
    return max(float(hits), low), min(float(n_all - n_sampled + hits), high)
