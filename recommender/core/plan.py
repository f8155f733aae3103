"""How many trials a budget in seconds pays for, by the size of the data and never by the clock.

The same file, seed and budget must give the same answer on any machine on any day, so seconds are turned into numbers
of trials before the work begins, with costs measured once on a machine of two cores (one thread).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.core.evaluation import Exam
from recommender.core.interactions import touched_items

# More trials than this gain less than the noise of the validation.
MOST_TRIALS = 40


@dataclass(frozen=True)
class Size:
    """What the cost of a model depends on, in millions.

    pairs : distinct pairs of user and item; items_work : sum over users of (items each) ** 2, what a table of items
    costs; users_work : the same the other way round, for the users asked for; cells : users asked for x items.
    n_items : items that anybody touched.
    """

    pairs: float
    items_work: float
    users_work: float
    cells: float
    n_items: int


def size_of(exam: Exam) -> Size:
    """Measure the training part of an exam."""
    matrix = touched_items(exam.split.train)
    lengths = np.diff(matrix.indptr).astype(float)
    known_by = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(float)
    asked = matrix[exam.tested]
    return Size(
        pairs=matrix.nnz / 1e6,
        items_work=float((lengths**2).sum()) / 1e6,
        users_work=float(known_by[asked.indices].sum()) / 1e6,
        cells=asked.shape[0] * matrix.shape[1] / 1e6,
        n_items=int((known_by > 0).sum()),
    )


@dataclass(frozen=True)
class Rates:
    """CPU seconds of one trial: ``base`` and so much for a million of each kind of work (see ``Size``).

    per_item : for each item; cubic : for ``(items / 1000) ** 3``, of at most MOST_INVERTED items.
    """

    base: float = 0.05
    pairs: float = 2.0
    items_work: float = 0.02
    users_work: float = 0.0
    cells: float = 0.01
    per_item: float = 0.0
    cubic: float = 0.0

    def seconds(self, size: Size) -> float:
        """Return the cost of fitting and asking a model on data of this size."""
        work = self.pairs * size.pairs + self.items_work * size.items_work + self.users_work * size.users_work
        cube = self.cubic * (min(size.n_items, MOST_INVERTED) / 1000) ** 3
        return self.base + work + self.cells * size.cells + self.per_item * size.n_items + cube


# Models that invert a dense matrix keep this many items.
MOST_INVERTED = 5_000
# What is not in here costs as much as a table of items.
RATES = {
    "popular": Rates(pairs=0.3, items_work=0.0, cells=0.001),
    "trending": Rates(pairs=0.3, items_work=0.0, cells=0.001),
    "bought_again": Rates(items_work=0.0, cells=0.02),
    "next_basket": Rates(items_work=0.0, users_work=0.06, cells=0.02),
    "user_based": Rates(items_work=0.0, users_work=0.02),
    "user_pearson": Rates(items_work=0.0, users_work=0.03),
    "svd": Rates(items_work=0.0, cells=0.07),
    "als": Rates(pairs=5.0, items_work=0.0, cells=0.06, per_item=0.0002),
    "bpr": Rates(pairs=15.0, items_work=0.0, cells=0.08),
    "rp3beta": Rates(items_work=0.03),
    "sequence": Rates(items_work=0.005),
    "content": Rates(pairs=6.0, items_work=0.0),
    "ease": Rates(items_work=0.01, cubic=0.12),
    "slim_local": Rates(items_work=0.01, per_item=0.0006),
}
# Parts of the budget: every algorithm once, as it begins; a round of tuning, in which all that may still win get the
# same seconds, and what the first round left; another one for the best of them; and the members of the ranker. The
# rest pays for reading, trees, the last fit and the lists.
ONCE, SECOND, THIRD, RANKER = 0.2, 0.15, 0.2, 0.2


def cost(name: str, size: Size) -> float:
    """Return the CPU seconds of one trial of an algorithm on data of this size."""
    return RATES.get(name, Rates()).seconds(size)


def shared_trials(
    names: Sequence[str], sizes: Sequence[Size], budget: float, most: int = MOST_TRIALS
) -> dict[str, int]:
    """Give each algorithm the same seconds, cheap ones first: {name: number of trials up to ``most``}, in this order.

    Everybody gets one trial as long as there is money, the cheapest even without. What a cheap algorithm can't use of
    its share goes to the dearer ones.
    """
    costs = {name: sum(cost(name, size) for size in sizes) for name in names}
    order = sorted(costs, key=lambda name: (costs[name], name))
    trials: dict[str, int] = {}
    for name in order:
        if costs[name] <= budget or not trials:
            trials[name] = 1
            budget -= costs[name]
    for place, name in enumerate(trials):
        more = max(int(budget / (len(trials) - place) / costs[name]), 0)
        more = min(more, most - 1)
        trials[name] += more
        budget -= more * costs[name]
    return trials
