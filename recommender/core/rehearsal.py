"""Two rehearsals for settings: one to search them, and one, on shoppers whom the search did not see, to judge them.

Of forty settings the best one looks better than it is: it was also the luckiest on the shoppers who chose it. So the
shoppers are parted by the seed, and whether what was found beats the defaults is asked of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.core.base import Beat, Recommender, silent
from recommender.core.catalogue import Catalogue
from recommender.core.evaluation import Exam, by_user
from recommender.core.splitting import Log, Split
from recommender.core.tuning import ndcg
from recommender.core.validation import MAX_CHECKED, TIME, of_users, sample, splits


@dataclass(frozen=True)
class Rehearsal:
    """Windows before the test period, the newest first, for the shoppers of the search and for those who judge."""

    searched: Sequence[Exam]
    judged: Sequence[Exam]


def rehearsal(log: Log, test: Split, *, k: int, seed: int, catalogue: Catalogue | None = None) -> Rehearsal:
    """Hold back the last fifth of the time before the test period, then the fifth before it.

    What happened in the test period takes no part. Products that a shopper bought before are neither picked nor
    counted, as in emails. At most 2,000 shoppers of each window are scored in each of the two parts.

    Parameters
    ----------
    log : all events; test : the split that keeps its last part for the leaderboard.
    """
    before = _before(log, test)
    searches = np.random.default_rng(seed).random(log.n_users) < 0.5
    held = splits(before, TIME, has_clock=True, repeats=False, seed=seed)
    exams = [Exam(split, k=k, repeats=False, seed=seed, catalogue=catalogue) for split in held]
    return Rehearsal(_part(exams, searches, seed), _part(exams, ~searches, seed))


def marks(model: Recommender, exams: Sequence[Exam], beat: Beat = silent) -> np.ndarray:
    """Return the NDCG of each shopper, the mean of the windows in which she is tested: shape (n_shoppers,)."""
    values = [ndcg(model, exam, beat=beat) for exam in exams]
    return by_user(values, [exam.tested for exam in exams])


def n_shoppers(exams: Sequence[Exam]) -> int:
    """Count the shoppers of all windows, each once."""
    return len(np.unique(np.concatenate([exam.tested for exam in exams]))) if exams else 0


def _before(log: Log, test: Split) -> Log:
    """Return the events before the test period, ratings of few stars among them."""
    chosen = log.days < test.at
    stars = log.stars[chosen] if len(log.stars) else log.stars
    columns = {name: getattr(log, name)[chosen] for name in ("users", "items", "kinds", "days")}
    return replace(log, stars=stars, **columns)


def _part(exams: Sequence[Exam], members: np.ndarray, seed: int) -> list[Exam]:
    parts = [of_users(exam, np.flatnonzero(members[exam.tested])) for exam in exams]
    return [sample(part, MAX_CHECKED, seed) for part in parts if part.n_test_users]
