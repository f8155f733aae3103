"""How often shoppers order and whether they are still there: BG/NBD, fitted on counted rows.

While she is there a shopper orders at random at her own rate; after each order she leaves with her own chance. The
rates of all shoppers follow a gamma distribution (r, alpha), the chances a beta distribution (a, b).

Source: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284; the
numbers of its formulas stand below. The penalty for few shoppers and the quantiles of a single shopper are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Where the penalty pulls when there is next to nothing to learn from: an order every four months or so, and a quarter
# of the shoppers leaving after an order. In logarithms, with a standard deviation of a factor of seven.
TYPICAL = {"r": 0.5, "alpha": 60.0, "a": 0.7, "b": 2.1}
LOOSE = 2.0
# A beta or gamma distribution narrower or wider than this says nothing more, but overflows.
LOWEST, HIGHEST = 1e-3, 1e4
MAX_ITERATIONS = 500


@dataclass(frozen=True)
class Buying:
    """The fitted distribution of order rates (per day) and of leaving."""

    r: float
    alpha: float
    a: float
    b: float


def log_likelihood(model: Buying, x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Return each row's log-likelihood (formula 6).

    Parameters
    ----------
    model : Buying
    x : float array of shape (n,)
        Orders after the first.
    t_x, age : float arrays of shape (n,), days
        From the first order to the last one, and to the moment of reckoning; 0 <= t_x <= age.

    Returns
    -------
    float array of shape (n,)
    """
    from scipy.special import betaln, gammaln

    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    there = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    # Who ordered again may have left after the last order; who did not can't have.
    left = np.where(
        x > 0,
        np.log(a) - np.log(b + np.maximum(x, 1) - 1) + betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + t_x),
        -np.inf,
    )
    return rate + np.logaddexp(there, left)


def fit(
    x: np.ndarray, t_x: np.ndarray, age: np.ndarray, weights: np.ndarray | None = None, *, penalty: float = 1.0
) -> Buying:
    """Fit by penalised maximum likelihood.

    Parameters
    ----------
    x, t_x, age : arrays of shape (n,) as in `log_likelihood`
    weights : float array of shape (n,), how many shoppers share a row; None = one each
    penalty : float
        1 weighs the typical shop as one loose observation of each logarithm; 0 is plain maximum likelihood, which has
        no finite answer when nobody ordered twice.

    Returns
    -------
    Buying, all values within 0.001..10,000; the typical shop when there is no row.
    """
    from scipy.optimize import minimize

    weights = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    x, t_x, age = (np.asarray(part, float) for part in (x, t_x, age))
    names, centre = list(TYPICAL), np.log(list(TYPICAL.values()))
    if not len(x):
        return Buying(**TYPICAL)

    def cost(logs: np.ndarray) -> float:
        model = Buying(**dict(zip(names, np.exp(logs), strict=True)))
        doubt = penalty * np.sum(((logs - centre) / LOOSE) ** 2) / 2
        return float((doubt - weights @ log_likelihood(model, x, t_x, age)) / weights.sum())

    bounds = [(np.log(LOWEST), np.log(HIGHEST))] * len(names)
    options = {"maxiter": MAX_ITERATIONS, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(cost, centre, method="L-BFGS-B", bounds=bounds, options=options)
    return Buying(**{name: float(value) for name, value in zip(names, np.exp(found.x), strict=True)})


def alive(model: Buying, x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Return the chance that she is still a shopper of the shop, in [0, 1].

    1 for who ordered once: the model lets nobody leave before the second order. Source: Fader, Hardie (2008), Computing
    P(alive) using the BG/NBD model, brucehardie.com/notes/021.
    """
    power = (model.r + x) * (np.log(model.alpha + age) - np.log(model.alpha + t_x))
    odds = model.a / (model.b + np.maximum(x, 1) - 1) * np.exp(np.minimum(power, 500.0))
    return np.where(x > 0, 1 / (1 + odds), 1.0)


def chance(model: Buying, x: np.ndarray, t_x: np.ndarray, age: np.ndarray, days: float) -> np.ndarray:
    """Return the chance of at least one order in the next days, in [0, 1].

    Who is there has a gamma distributed rate (r + x, alpha + age), so she orders nothing with the chance
    ((alpha + age) / (alpha + age + days)) ** (r + x).
    """
    nothing = np.exp((model.r + x) * (np.log(model.alpha + age) - np.log(model.alpha + age + days)))
    return alive(model, x, t_x, age) * (1 - nothing)


def expected(model: Buying, x: np.ndarray, t_x: np.ndarray, age: np.ndarray, days: float) -> np.ndarray:
    """Return the expected number of orders in the next days (formula 10), at least the chance of one.

    Each row of arguments of the hypergeometric function is worked out once.
    """
    from scipy.special import hyp2f1

    r, alpha, b = model.r, model.alpha, model.b
    # The formula has a hole at a = 1; its limit is the value beside it.
    a = model.a if abs(model.a - 1) > 1e-6 else 1 + 1e-6
    pairs, back = np.unique(np.column_stack([x, age]), axis=0, return_inverse=True)
    n, old = pairs[:, 0], pairs[:, 1]
    z = days / (alpha + old + days)
    power = np.exp((r + n) * (np.log(alpha + old) - np.log(alpha + old + days)))
    orders = (a + b + n - 1) / (a - 1) * (1 - power * hyp2f1(r + n, b + n, a + b + n - 1, z))
    # Nobody can be expected to order more often than at her rate without leaving.
    most = (r + n) / (alpha + old) * days
    orders = np.clip(np.nan_to_num(orders, nan=0.0, posinf=0.0, neginf=0.0), 1 - power, most)
    return alive(model, x, t_x, age) * orders[back.ravel()]


def chance_range(
    model: Buying, x: np.ndarray, t_x: np.ndarray, age: np.ndarray, days: float, share: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances that her own rate gives at both ends of the middle `share` of what it may be.

    Returns
    -------
    (low, high), float arrays of shape (n,) in [0, 1]
    """
    from scipy.special import gammaincinv

    there = alive(model, x, t_x, age)
    shapes, back = np.unique(model.r + x, return_inverse=True)
    ends = []
    for level in ((1 - share) / 2, (1 + share) / 2):
        rate = gammaincinv(shapes, level)[back] / (model.alpha + age)
        ends.append(there * -np.expm1(-rate * days))
    return ends[0], ends[1]


def days_until(model: Buying, x: np.ndarray, age: np.ndarray, *, there: np.ndarray, level: float) -> np.ndarray:
    """Return after how many days an order has come with the chance `level`; infinite where it never does.

    Parameters
    ----------
    model, x, age : as above
    there : float array of shape (n,), the chance that she is still there
    level : float, 0 < level < 1
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        open_share = 1 - level / there
        days = (model.alpha + age) * np.expm1(-np.log(open_share) / (model.r + x))
    return np.where(open_share > 0, days, np.inf)
