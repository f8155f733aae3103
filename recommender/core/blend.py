"""A blend: several models vote, each with its own weight."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from recommender.core import metrics
from recommender.core.base import Beat, Evidence, Recommender, Space, blocks, silent
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.ranking import top_k

# What the search tries for the weight of one more member.
WEIGHTS = (0.05, 0.15, 0.4, 1.0)
# Products of each member's list that the search looks at.
N_LISTED = 100


class Composite(Recommender):
    """A model made of other models, which it fits, stores and asks."""

    space: ClassVar[Space] = {}

    def __init__(self, members: Sequence[Recommender]) -> None:
        super().__init__()
        self.members = list(members)

    @property
    def described(self) -> list[list[Any]]:
        """What ``algorithms.create`` needs to make the members again: [name, params] of each."""
        return [[member.name, member.params] for member in self.members]

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        for member in self.members:
            member.fit(interactions, catalogue, beat=beat)

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Let the member that contributes most to each item say why."""
        answer: list[list[Evidence]] = [[{} for _ in row] for row in items]
        blame = self._blame(users, items)
        for number, member in enumerate(self.members):
            own = np.where(blame == number, items, -1)
            if (own < 0).all():
                continue
            rows = np.flatnonzero((own >= 0).any(axis=1))
            for row, found in zip(rows, member.explain(users.of(rows), own[rows]), strict=True):
                for rank in np.flatnonzero(own[row] >= 0):
                    answer[row][rank] = found[rank]
        return answer

    def _weight(self, number: int) -> float:
        return 1.0

    def _blame(self, users: Interactions, items: np.ndarray) -> np.ndarray:
        """Return the number of the member that contributes most to each item, -1 = no item; shape of ``items``."""
        blame = np.full(items.shape, -1)
        if not users.n_items:
            return blame
        for block in blocks(users.n_users, users.n_items):
            part, there = users.part(block), np.maximum(items[block], 0)
            votes = [
                self._weight(number) * np.take_along_axis(shares(member.scores(part)), there, 1)
                for number, member in enumerate(self.members)
            ]
            blame[block] = np.where(items[block] >= 0, np.argmax(votes, axis=0), -1)
        return blame

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of all members, each name with the member's number before it."""
        return {
            f"{number}.{name}": array
            for number, member in enumerate(self.members)
            for name, array in member.to_arrays().items()
        }

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Hand each member its arrays."""
        for number, member in enumerate(self.members):
            start = f"{number}."
            own = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
            member.load_arrays(own)
        return self


class Blend(Composite):
    """``score(u, i) = sum over members m of weight(m) * score_m(u, i) / max over j of score_m(u, j)``.

    Dividing by the shopper's own maximum makes members comparable whose scores have different units.

    Parameters
    ----------
    members : unfitted models.
    weights : float >= 0 for each member; default: all the same.

    Source: Fox and Shaw (1994), TREC-2, CombSUM over normalised scores; weights by ``search``.
    """

    name: ClassVar[str] = "blend"

    def __init__(self, members: Sequence[Recommender] = (), weights: Sequence[float] | None = None) -> None:
        super().__init__(members)
        self.weights = list(weights) if weights is not None else [1.0] * len(self.members)

    @property
    def params(self) -> dict[str, Any]:
        """Members and their weights."""
        return {"members": self.described, "weights": self.weights}

    def _weight(self, number: int) -> float:
        return self.weights[number]

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the weighted votes."""
        return self.scores_within(users, None, None)

    def scores_within(self, users: Interactions, exclude: csr_matrix | None, allowed: np.ndarray | None) -> np.ndarray:
        """Return the weighted votes; a member's maximum is taken over the items that may be picked."""
        total = np.zeros((users.n_users, users.n_items), np.float32)
        for member, weight in zip(self.members, self.weights, strict=True):
            total += np.float32(weight) * shares(member.scores(users), exclude, allowed)
        return total


def shares(
    scores: csr_matrix | np.ndarray, exclude: csr_matrix | None = None, allowed: np.ndarray | None = None
) -> np.ndarray:
    """Return scores as shares of each row's maximum, dense float32 in [0, 1]; what may not be picked is 0."""
    dense = scores if isinstance(scores, np.ndarray) else scores.toarray()
    dense = np.nan_to_num(dense.astype(np.float32), nan=0.0, posinf=0.0)
    np.maximum(dense, 0, out=dense)
    if allowed is not None:
        dense[:, ~allowed] = 0
    if exclude is not None:
        dense[np.repeat(np.arange(len(dense)), np.diff(exclude.indptr)), exclude.indices] = 0
    top = dense.max(axis=1, initial=0, keepdims=True)
    dense /= np.where(top > 0, top, 1)
    return dense


class Votes:
    """The lists of several models for the same test shoppers, and what they bought: enough to try any weights.

    Parameters
    ----------
    lists : for each model (items, scores), both of shape (n_users, N_LISTED), -1 = none.
    truth : csr_matrix of shape (n_users, n_items)

    n_users x (distinct listed products of a shopper) x n_models float32 are held: 2,000 x 400 x 15 are 48 MB.
    """

    def __init__(self, lists: Sequence[tuple[np.ndarray, np.ndarray]], truth: csr_matrix, k: int) -> None:
        self.truth, self.k = truth, k
        n_users = truth.shape[0]
        pool = np.sort(np.concatenate([items for items, _ in lists], axis=1), axis=1)
        pool[:, 1:][pool[:, 1:] == pool[:, :-1]] = -1
        pool = np.sort(pool, axis=1)
        width = int((pool >= 0).sum(axis=1).max(initial=1))
        self.items = pool[:, pool.shape[1] - width :]
        self.votes = np.zeros((len(lists), n_users, width), np.float32)
        columns = truth.shape[1] + 1
        rows = np.arange(n_users)[:, None]
        # Rows are sorted, so one flat key finds every place at once.
        flat = (rows * columns + self.items + 1).ravel()
        for number, (items, scores) in enumerate(lists):
            there = items >= 0
            places = np.searchsorted(flat, (rows * columns + items + 1)[there])
            top = np.maximum(scores.max(axis=1, initial=0, keepdims=True), np.finfo(np.float32).tiny)
            self.votes[number].reshape(-1)[places] = (scores / top)[there]

    def ndcg(self, total: np.ndarray) -> np.ndarray:
        """Return the NDCG of each user when products stand in the order of ``total``, shape (n_users, width)."""
        places, _scores = top_k(total, self.k)
        items = np.where(places >= 0, np.take_along_axis(self.items, np.maximum(places, 0), 1), -1)
        return metrics.ndcg_at_k(items, self.truth, self.k)

    def total(self, weights: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the weighted sum of the votes."""
        return np.asarray(np.tensordot(np.asarray(weights, np.float32), self.votes, 1))


def search(windows: Sequence[Votes], beat: Beat = silent) -> tuple[list[float], list[np.ndarray]]:
    """Return the weight of each model, and the NDCG of each shopper of each window under them.

    Greedy: begin with the best single model; give that model another weight (a member too; 0 = it is out) which gains
    most, as long as the mean paired gain over shoppers exceeds one standard error of it. Of two that explain the
    validation equally well the simpler one holds up better afterwards (Breiman et al. 1984, "Classification and
    regression trees", section 3.4.3, 1-SE rule).
    """
    n_models = len(windows[0].votes)
    singles = [_ndcg(windows, np.eye(n_models)[number]) for number in range(n_models)]
    first = int(np.argmax([_mean(single) for single in singles]))
    weights, best = np.eye(n_models)[first], singles[first]
    while True:
        totals = [window.total(weights) for window in windows]
        tries = []
        for number in range(n_models) if n_models > 1 else ():
            for weight in WEIGHTS if weights[number] == 0 else (0.0, *WEIGHTS):
                # 1, the weight of the first, is as much as anybody gets.
                more = np.float32(weight - weights[number])
                if more and (weights[number] == 0 or np.count_nonzero(weights) > 1):
                    parts = [w.ndcg(t + more * w.votes[number]) for w, t in zip(windows, totals, strict=True)]
                    tries.append((_mean(parts), number, weight, parts))
            beat()
        if not tries:
            break
        _score, number, weight, parts = max(tries, key=lambda one: one[0])
        gain = np.concatenate(parts) - np.concatenate(best)
        if gain.mean() <= gain.std() / np.sqrt(len(gain)) or gain.mean() <= 0:
            break
        weights, best = weights.copy(), parts
        weights[number] = weight
    return [float(weight) for weight in weights], best


def _ndcg(windows: Sequence[Votes], weights: np.ndarray) -> list[np.ndarray]:
    return [window.ndcg(window.total(weights)) for window in windows]


def _mean(parts: Sequence[np.ndarray]) -> float:
    """Shoppers first, windows last."""
    return float(np.mean([part.mean() if len(part) else 0.0 for part in parts]))
