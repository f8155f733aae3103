"""The challenger: boosted trees on what was known of each shopper, trained on a window that has passed."""

from __future__ import annotations

from typing import Any

import numpy as np

from segments.core.trees import Trees, of_booster

# More rows make training longer and the trees no better.
MOST_ROWS = 60_000
FEWEST_ROWS = 300
N_TREES = 120
# Trees, cautious: half of a shop's shoppers ordered once, and say little. One thread each: on a busy machine the
# threads of these short loops wait for each other, for minutes.
SETTINGS: dict[str, Any] = {
    "learning_rate": 0.06, "num_leaves": 12, "min_data_in_leaf": 40, "lambda_l2": 1.0, "use_missing": False,
    "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
}  # fmt: skip
# The mean of counts and of money; no smaller steps than their own slope asks for.
POISSON = {"objective": "poisson", "poisson_max_delta_step": 1e-9}


def can_train(outcome: np.ndarray) -> bool:
    """Say whether there is anything to learn: enough rows, and at least 50 with and 50 without an order."""
    ordered = int((outcome > 0).sum())
    return len(outcome) >= FEWEST_ROWS and min(ordered, len(outcome) - ordered) >= 50


def chosen_rows(n: int, seed: int) -> np.ndarray:
    """Return the places of at most MOST_ROWS of n rows, by chance, ascending."""
    if n <= MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False))


def train_amounts(features: np.ndarray, amounts: np.ndarray, seed: int = 0) -> Trees:
    """Fit expected amounts (orders, money); negative ones, of refunds, count as none.

    Parameters
    ----------
    features : float array of shape (n, n_features), n <= MOST_ROWS
    amounts : float array of shape (n,)

    Returns
    -------
    Trees, for `amounts`. Source: Friedman (2001), Greedy function approximation, Annals of Statistics 29(5); histogram
    trees of LightGBM with Poisson loss, which fits the mean whatever the scatter.
    """
    return _trained(features, np.maximum(amounts, 0.0), POISSON, seed)


def train_chance(features: np.ndarray, outcome: np.ndarray, seed: int = 0) -> Trees:
    """Fit the chance of an outcome (bool array of shape (n,)); trees for `chances`."""
    return _trained(features, outcome.astype(float), {"objective": "binary"}, seed)


def amounts(trees: Trees, features: np.ndarray) -> np.ndarray:
    """Return the expected amounts, float array of shape (n,), > 0."""
    return np.exp(trees.sums(features))


def chances(trees: Trees, features: np.ndarray) -> np.ndarray:
    """Return the chance of the outcome, float array of shape (n,) in [0, 1]."""
    return chance_of(trees.sums(features))


def chance_of(sums: np.ndarray) -> np.ndarray:
    """Return the chances that sums of leaves stand for."""
    from scipy.special import expit

    return np.asarray(expit(sums))


def _trained(features: np.ndarray, outcome: np.ndarray, loss: dict[str, Any], seed: int) -> Trees:
    import lightgbm

    settings = SETTINGS | loss | {"seed": seed}
    data = lightgbm.Dataset(features, outcome, params=settings)
    return of_booster(lightgbm.train(settings, data, N_TREES))
