"""No algorithm holds a dense array of shoppers x shoppers or shoppers x products."""

import subprocess
import sys

import pytest

from recommender.core.algorithms import ALGORITHMS, COMPOSITES


@pytest.mark.slow
def test_every_algorithm_fits_and_ranks_in_less_memory_than_a_dense_array_takes():
    command = [sys.executable, "-m", "tests.recommender.within_memory"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    refused, *ranked = done.stdout.splitlines()
    assert refused == "refused"
    assert set(ranked) == {f"{name} ranked" for name in [*ALGORITHMS, *COMPOSITES]}, done.stderr[-2000:]
