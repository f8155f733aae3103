"""80 % ranges of single shoppers: a distribution around each prediction, its width set by the back-test."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

SHARE = 0.8
Z = 1.2815515655446004
# Levels that are tried when the width is set; the first that covers enough is taken.
LEVELS = np.round(np.arange(0.30, 0.991, 0.01), 2)
GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 2001)])
SHAPE = np.linspace(0.0, 1.0, 101)
MOST_ROWS = 100_000
N_BINS = 10
USUAL_DRIFT, UNSEEN_SEASON, SEASON_YEARS = 0.2, 0.4, 2.0


@dataclass(frozen=True)
class Width:
    """How far what happens strays from what was predicted.

    phi : variance of the orders = mean + phi * mean²; the scatter of the negative binomial
    levels : target -> level whose range covered 80 % in the back-test
    shape : who orders spends so many times what was expected of her; 101 quantiles
    drift : standard deviation of log(happened / predicted) of the shop's total over one window
    n_orders : orders behind it: few of them widen every range
    """

    phi: float = 1.0
    levels: dict[str, float] = field(default_factory=lambda: {"orders": 0.9, "spend": 0.9})
    shape: np.ndarray = field(default_factory=lambda: -np.log1p(-np.minimum(SHAPE, 0.995)))
    drift: float = UNSEEN_SEASON
    n_orders: float = 0.0

    @property
    def scatter(self) -> float:
        """Phi with the doubt of few orders."""
        return self.phi + 20.0 / (self.n_orders + 10.0)


def orders_range(mean: np.ndarray, phi: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole numbers of orders between which the count lies, widened to the mean where it is outside.

    Parameters
    ----------
    mean : float array of shape (n,), expected orders, >= 0
    phi : float > 0
    level : float in (0, 1), the share in the middle

    Returns
    -------
    (low, high), float arrays of shape (n,), 0 <= low <= mean <= high. Orders are whole: a range may hold more than
    `level`. Quantiles are worked out for 2,002 means and looked up for the nearest.
    """
    from scipy.stats import nbinom

    place = nearest(mean)
    ends = []
    for end in ((1 - level) / 2, (1 + level) / 2):
        table = nbinom.ppf(end, 1 / phi, 1 / (1 + phi * GRID))
        ends.append(np.maximum(table, 0.0)[place])
    return np.minimum(ends[0], mean), np.maximum(ends[1], mean)


def nearest(mean: np.ndarray) -> np.ndarray:
    """Return the place of the nearest value in GRID."""
    place = np.searchsorted(GRID, mean).clip(1, len(GRID) - 1)
    return place - (mean - GRID[place - 1] < GRID[place] - mean)


def spend_range(spend: np.ndarray, orders: np.ndarray, width: Width, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the money between which the spending lies.

    Nothing with the chance of no order; else the expected money of who orders, times the back-test's quantiles.

    Parameters
    ----------
    spend, orders : float arrays of shape (n,), expected money and orders
    """
    nothing = none(orders, width.scatter)
    if_any = spend / np.maximum(1 - nothing, 1e-9)
    ends = []
    for end in ((1 - level) / 2, (1 + level) / 2):
        rest = (end - nothing) / np.maximum(1 - nothing, 1e-9)
        ends.append(np.where(rest <= 0, 0.0, if_any * np.interp(rest, SHAPE, width.shape)))
    return np.minimum(ends[0], spend), np.maximum(ends[1], spend)


def none(mean: np.ndarray, phi: float) -> np.ndarray:
    """Return the chance of no order under the negative binomial."""
    return np.exp(-np.log1p(phi * mean) / phi)


def fit_phi(mean: np.ndarray, count: np.ndarray) -> float:
    """Return the scatter of counts around their predictions, by penalised maximum likelihood, in 0.01..20."""
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    mean, count = np.maximum(mean[:MOST_ROWS], 1e-6), count[:MOST_ROWS]
    if not len(mean):
        return Width().phi

    def cost(log_phi: float) -> float:
        phi = float(np.exp(log_phi))
        size = 1 / phi
        fits = (
            gammaln(count + size) - gammaln(size) + count * (np.log(phi * mean) - np.log1p(phi * mean))
            - size * np.log1p(phi * mean)
        )  # fmt: skip
        return float(log_phi**2 / 8 - fits.sum())

    return float(np.exp(minimize_scalar(cost, bounds=(np.log(0.01), np.log(20.0)), method="bounded").x))


def fit_shape(spend: np.ndarray, orders: np.ndarray, happened: np.ndarray, phi: float) -> np.ndarray:
    """Return 101 quantiles of what those who ordered spent, over what was expected of who orders."""
    if_any = spend / np.maximum(1 - none(orders, phi), 1e-9)
    told = (happened > 0) & (if_any > 0)
    if told.sum() < 20:
        return Width().shape
    return np.quantile(happened[told] / if_any[told], SHAPE)


def covers(low: np.ndarray, high: np.ndarray, happened: np.ndarray) -> float:
    """Return the share of shoppers whose figure fell into her range; 0 without shoppers."""
    return float(((happened >= low - 1e-9) & (happened <= high + 1e-9)).mean()) if len(happened) else 0.0


def fit_level(
    ranges_at: Callable[[float, float], tuple[np.ndarray, np.ndarray]],
    happened: np.ndarray,
    drift: float,
) -> float:
    """Return the narrowest level whose ranges cover the share, whatever the season; the widest where none does.

    It must hold for the predictions as they were, and for predictions that are too high or too low by the 80 % range of
    the whole shop: the shoppers of one window are no independent witnesses, a good December moves all of them.

    The idea is that of split conformal prediction: the width is not believed, it is counted on shoppers who took no
    part in the fit (Vovk, Gammerman, Shafer 2005, Algorithmic Learning in a Random World; Lei et al. 2018, JASA 113).
    The three shop-wide factors are ours.

    Parameters
    ----------
    ranges_at : (level, factor) -> ranges when every prediction is multiplied by the factor
    happened : float array of shape (n,)
    """
    factors = (1.0, float(np.exp(-Z * drift)), float(np.exp(Z * drift)))

    def holds(level: float) -> bool:
        return all(covers(*ranges_at(level, factor), happened) >= SHARE for factor in factors)

    # A wider level never covers fewer.
    levels = LEVELS.tolist()
    return float(levels[min(bisect_left(levels, True, key=holds), len(levels) - 1)])


def logit(chance: np.ndarray) -> np.ndarray:
    """Return the log odds, kept within those of one in a hundred thousand."""
    safe = np.clip(chance, 1e-5, 1 - 1e-5)
    return np.log(safe) - np.log1p(-safe)


def calibration(chance: np.ndarray, came: np.ndarray) -> list[dict[str, float]]:
    """Compare the chances that were told with what came, in ten groups of equal size.

    Returns
    -------
    [{"from", "until", "said", "came", "low", "high", "n"}], lowest chances first; low and high are the 80 % range of
    the share that came (Jeffreys; Brown, Cai, DasGupta 2001, Statistical Science 16(2)).
    """
    from scipy.stats import beta

    if not len(chance):
        return []
    order = np.argsort(chance, kind="stable")
    rows = []
    for part in np.array_split(order, min(N_BINS, len(order))):
        said, n, k = chance[part], len(part), float(came[part].sum())
        low, high = beta.ppf([(1 - SHARE) / 2, (1 + SHARE) / 2], k + 0.5, n - k + 0.5)
        rows.append(
            {
                "from": float(said.min()), "until": float(said.max()), "said": float(said.mean()), "came": k / n,
                "low": float(low), "high": float(high), "n": float(n),
            }
        )  # fmt: skip
    return rows


def chance_range(
    chance: np.ndarray, floor: np.ndarray, floor_range: tuple[np.ndarray, np.ndarray], table: list[dict[str, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of a chance: what her own rate may be, and how far such chances were off in the back-test.

    Both are steps in log odds and are added as independent errors are. Without a back-test, the second is that of ten
    shoppers.

    Parameters
    ----------
    chance : float array of shape (n,)
    floor, floor_range : the floor's chance, and its own range around it
    table : as of `calibration`
    """
    said = np.array([row["said"] for row in table] or [0.1, 0.5, 0.9])
    ends = [[row["low"], row["high"]] for row in table] or [[0.02, 0.25], [0.3, 0.7], [0.75, 0.98]]
    places = np.abs(logit(chance)[:, None] - logit(said)[None, :]).argmin(axis=1)
    # Only outwards: where chances of this size came more often than was said, the lower end stays.
    steps = np.maximum((logit(np.array(ends)) - logit(said)[:, None]) * [-1, 1], 0.0)[places]
    own = [np.abs(logit(end) - logit(floor)) for end in floor_range]
    middle = logit(chance)
    low = 1 / (1 + np.exp(-(middle - np.hypot(own[0], steps[:, 0]))))
    high = 1 / (1 + np.exp(-(middle + np.hypot(own[1], steps[:, 1]))))
    return np.minimum(low, chance), np.maximum(high, chance)


def total_range(total: float, drift: float, windows: float = 1.0) -> tuple[float, float]:
    """Return the 80 % range of a sum over all shoppers, whose error is that of the whole shop.

    A part of a window strays less than a window; over several windows seasons even out, so they stray no more.
    """
    factor = float(np.exp(Z * drift * np.sqrt(np.clip(windows, 0.1, 1.0))))
    return total / factor, total * factor


def fit_drift(predicted: list[float], happened: list[float], years: float) -> float:
    """Return the standard deviation of the totals' log error, with two windows' worth of doubt beside those played.

    In less than two years no season shows itself twice, however calm the windows were that were played: the drift is
    then at least 40 %. The figure is ours, chosen with the last quarter of Online Retail in view.
    """
    errors = [np.log(h / p) for p, h in zip(predicted, happened, strict=True) if p > 0 and h > 0]
    measured = float(np.sqrt((np.sum(np.square(errors)) + 2 * USUAL_DRIFT**2) / (len(errors) + 2)))
    return max(measured, UNSEEN_SEASON) if years < SEASON_YEARS else measured
