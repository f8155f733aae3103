"""What the tests of the recommender share."""

import pytest

from recommender import services
from recommender.core.algorithms import ALGORITHMS


@pytest.fixture(autouse=True)
def two_algorithms(monkeypatch):
    """Train the baseline and one personal model; that every algorithm can be trained is shown by the contract."""
    monkeypatch.setattr(services, "ALGORITHMS", {name: ALGORITHMS[name] for name in ("popular", "user_based")})
