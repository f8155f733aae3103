"""What an order of a shopper is worth: gamma-gamma.

The values of a shopper's orders scatter around her own mean; the means of all shoppers scatter around the shop's.

Source: Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value, brucehardie.com/notes/025. The penalty is
ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Pulls a shop with a handful of orders towards the published example; `v` scales with the shop's own mean.
TYPICAL_P, TYPICAL_Q = 6.0, 4.0
LOOSE = 2.0
LOWEST, HIGHEST = 1e-2, 1e4


@dataclass(frozen=True)
class Spending:
    """Shape p of an order's value around the shopper's mean; q and v (currency) of the means."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float:
        """The mean value of an order over all shoppers; without a finite one (q <= 1) that of its prior."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else 0.0


def log_likelihood(model: Spending, n: np.ndarray, mean: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the log-likelihood of all mean order values (formula 1a) and its slope in each parameter.

    Parameters
    ----------
    model : Spending
    n : float array of shape (rows,), orders behind the mean, > 0
    mean : float array of shape (rows,), currency, > 0

    Returns
    -------
    (float, float array of shape (3,): by p, q, v)
    """
    from scipy.special import digamma, gammaln

    p, q, v = model.p, model.q, model.v
    # Gamma functions once for each number of orders.
    each, many = np.unique(n, return_counts=True)
    spent, rows = n * mean + v, len(n)
    log_spent, log_money = np.log(spent), np.log(mean)
    paid = (n * (log_money + np.log(n) - log_spent)).sum()
    total = (
        (many * (gammaln(p * each + q) - gammaln(p * each))).sum() + rows * (q * np.log(v) - gammaln(q))
        - q * log_spent.sum() + p * paid - log_money.sum()
    )  # fmt: skip
    both = many * digamma(p * each + q)
    slope = [
        (each * both).sum() - (many * each * digamma(p * each)).sum() + paid,
        both.sum() + rows * (np.log(v) - digamma(q)) - log_spent.sum(),
        rows * q / v - ((p * n + q) / spent).sum(),
    ]
    return float(total), np.array(slope)


def fit(n: np.ndarray, mean: np.ndarray, *, penalty: float = 1.0) -> Spending | None:
    """Fit by penalised maximum likelihood on shoppers with orders that have a value.

    Parameters
    ----------
    n, mean : float arrays of shape (rows,); rows without an order or a value are left out
    penalty : float, as in `buying.fit`

    Returns
    -------
    Spending; None where no order has a value.
    """
    from scipy.optimize import minimize

    n, mean = np.asarray(n, float), np.asarray(mean, float)
    valued = (n > 0) & (mean > 0)
    n, mean = n[valued], mean[valued]
    if not len(n):
        return None
    unit = float(np.average(mean, weights=n))
    # A hundredth of a penny would have a logarithm that drowns all others.
    mean = np.maximum(mean / unit, 1e-6)
    centre = np.log([TYPICAL_P, TYPICAL_Q, (TYPICAL_Q - 1) / TYPICAL_P])

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        values = np.exp(logs)
        total, slope = log_likelihood(Spending(*values), n, mean)
        apart = (logs - centre) / LOOSE
        doubt = penalty * (apart**2).sum() / 2
        return float((doubt - total) / len(n)), (penalty * apart / LOOSE - slope * values) / len(n)

    bounds = [(np.log(LOWEST), np.log(HIGHEST))] * 3
    found = minimize(cost, centre, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8})
    p, q, v = np.exp(found.x)
    return Spending(float(p), float(q), float(v * unit))


def order_value(model: Spending | None, n: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the expected value of each shopper's next order, between her own mean and the shop's (formula 5).

    Returns
    -------
    float array of shape (rows,), currency, >= 0; 0 where the shop has no values.
    """
    if model is None:
        return np.zeros(len(n))
    known = np.where(mean > 0, n, 0)
    own = np.where(mean > 0, mean, 0.0)
    # With q <= 1 the shop's mean is infinite; her own is all that is left.
    bottom = np.maximum(model.p * known + model.q - 1, model.p * 0.5)
    return model.p * (model.v + known * own) / bottom
