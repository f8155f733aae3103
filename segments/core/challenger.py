"""The challenger: boosted trees on what was known of each shopper, trained on a window that has passed."""

from __future__ import annotations

from typing import Any

import numpy as np

# More rows make training longer and the trees no better.
MOST_ROWS = 60_000
FEWEST_ROWS = 300
# Trees, cautious: half of a shop's shoppers ordered once, and say little.
SETTINGS: dict[str, Any] = {
    "learning_rate": 0.06,
    "max_iter": 120,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 1.0,
    "early_stopping": False,
}


def can_train(outcome: np.ndarray) -> bool:
    """Say whether there is anything to learn: enough rows, and at least 50 with and 50 without an order."""
    ordered = int((outcome > 0).sum())
    return len(outcome) >= FEWEST_ROWS and min(ordered, len(outcome) - ordered) >= 50


def chosen_rows(n: int, seed: int) -> np.ndarray:
    """Return the places of at most MOST_ROWS of n rows, by chance, ascending."""
    if n <= MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False))


def train_amounts(features: np.ndarray, amounts: np.ndarray, seed: int = 0) -> Any:
    """Fit expected amounts (orders, money); negative ones, of refunds, count as none.

    Parameters
    ----------
    features : float array of shape (n, n_features)
    amounts : float array of shape (n,)

    Returns
    -------
    A model with `predict(features)`, values > 0. Source: Friedman (2001), Greedy function approximation, Annals of
    Statistics 29(5); histogram trees of scikit-learn with Poisson loss, which fits the mean whatever the scatter.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = chosen_rows(len(features), seed)
    model = HistGradientBoostingRegressor(loss="poisson", random_state=seed, **SETTINGS)
    with _alone():
        return model.fit(features[rows], np.maximum(amounts[rows], 0.0))


def train_chance(features: np.ndarray, outcome: np.ndarray, seed: int = 0) -> Any:
    """Fit the chance of an outcome (bool array of shape (n,)); a model with `predict_proba`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = chosen_rows(len(features), seed)
    model = HistGradientBoostingClassifier(random_state=seed, **SETTINGS)
    with _alone():
        return model.fit(features[rows], outcome[rows])


def amounts(model: Any, features: np.ndarray) -> np.ndarray:
    """Return the expected amounts, float array of shape (n,), > 0."""
    with _alone():
        return np.asarray(model.predict(features), float)


def chances(model: Any, features: np.ndarray) -> np.ndarray:
    """Return the chance of the outcome, float array of shape (n,) in [0, 1]."""
    with _alone():
        return np.asarray(model.predict_proba(features)[:, 1])


def _alone() -> Any:
    """Use one thread: on a busy machine the threads of these short loops wait for each other, for minutes."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="openmp")
