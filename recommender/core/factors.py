"""Matrix factorisation: a few numbers for each user and each item, whose inner product is the score."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from recommender.core.base import (
    N_EVIDENCE,
    WEIGHTING_SPACE,
    Beat,
    Choice,
    Evidence,
    Range,
    Recommender,
    Space,
)
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.neighbours import scaled_rows
from recommender.core.weighting import Weighting

# Fitting twice gives the same factors: one seed, and one thread, since the order of sums depends on their number.
SEED = 0
N_THREADS = 1


class Factors(Recommender):
    """``score(u, i) = p(u) . q(i)`` with f factors each; p(u) is worked out from the events of the users asked for.

    So an event of this minute counts, users that were not there at the fitting have factors too, and nothing is stored
    for the users. What is kept are the item factors, 4 * f bytes an item.
    """

    def __init__(self, factors: int, weighting: Weighting | None) -> None:
        super().__init__(weighting)
        self.factors = factors
        self.item_factors = np.empty((0, 0), np.float32)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"factors": self.factors} | self.weighting.params

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        matrix = self.weighted(interactions)
        self.item_factors = np.zeros((interactions.n_items, 0), np.float32)
        if matrix.nnz:
            # OpenBLAS beside the threads of the library would take every core twice.
            with threadpool_limits(1, "blas"):
                self.item_factors = self._learn(matrix, beat)

    @abstractmethod
    def _learn(self, matrix: csr_matrix, beat: Beat) -> np.ndarray:
        """Return the item factors, float32 of shape (n_items, n_factors), from a matrix that is not empty."""

    @abstractmethod
    def fold_in(self, matrix: csr_matrix) -> np.ndarray:
        """Return the factors of users from their weights (n_users, n_items): float64 of shape (n_users, n_factors)."""

    @abstractmethod
    def _parts(self, own: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return what each own item adds to the score of each item, shape (n_own, n_items), for one user.

        own, weights : her items and their weights, shape (n_own,); items : the items to be explained.
        """

    def scores(self, users: Interactions) -> np.ndarray:
        """Return the inner products, float32 of shape (n_users, n_items); 0 for who has no event.

        They are summed in float64, so that the same user gets the same ranks in any batch.
        """
        matrix = self.weighted(users)
        if not self.item_factors.shape[1]:
            return np.zeros(matrix.shape, np.float32)
        with threadpool_limits(1, "blas"):
            scores = self.fold_in(matrix) @ self.item_factors.T.astype(np.float64)
        scores = self._positive(scores)
        scores[np.diff(matrix.indptr) == 0] = 0
        return scores.astype(np.float32)

    def _positive(self, scores: np.ndarray) -> np.ndarray:
        return scores

    def explain(self, users: Interactions, items: np.ndarray) -> list[list[Evidence]]:
        """Return the user's own items that add most to the score through the item factors.

        ``because``: ``items`` and ``weights``, their share of all that her items add; an item's own history counts as
        one of them.
        """
        matrix = self.weighted(users)
        answer: list[list[Evidence]] = [[{} for _ in row] for row in items]
        if not self.item_factors.shape[1]:
            return answer
        for u in np.flatnonzero((items >= 0).any(axis=1)):
            own, weights = (array[matrix.indptr[u] : matrix.indptr[u + 1]] for array in (matrix.indices, matrix.data))
            ranks = np.flatnonzero(items[u] >= 0)
            for rank, part in zip(ranks, self._parts(own, weights, items[u, ranks]).T, strict=True):
                answer[u][rank] = _because(own, part)
        return answer

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the item factors and the half-life in days."""
        return {"item_factors": self.item_factors, "half_life": np.asarray(self.half_life_days)}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take them back."""
        self.item_factors, self.half_life_days = arrays["item_factors"], float(arrays["half_life"])
        return self


def _because(own: np.ndarray, part: np.ndarray) -> Evidence:
    order = np.lexsort((own, -part))[:N_EVIDENCE]
    best = order[part[order] > 0]
    total = np.maximum(part, 0).sum()
    weights = [round(float(part[n] / total), 4) for n in best]
    return {"kind": "because", "items": [int(own[n]) for n in best], "weights": weights}


class Als(Factors):
    """Implicit alternating least squares.

    Minimises ``sum over all u, i of c(u, i) * (s(u, i) - p(u) . q(i)) ** 2 + regularization * (|p|^2 + |q|^2)``, with
    s = 1 where the user had the item and 0 elsewhere, and ``c = alpha * w(u, i)`` there and 1 elsewhere. A user is
    folded in by one exact step: ``p(u) = (Q' C Q + regularization * I)^-1 Q' C s``; so each own item j adds
    ``c(u, j) * q(i)' (Q' C Q + regularization * I)^-1 q(j)`` to the score.

    Parameters
    ----------
    factors : int >= 1
    alpha : float > 0, confidence of a weight of 1.
    regularization : float > 0
    iterations : int >= 1

    64 factors of a million users and 50,000 items take about 15 CPU seconds an iteration.

    Source: Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets", ICDM; the parts of
    the score: section 5. Fitted by the library implicit, solved by conjugate gradients as in Takacs et al. (2011).
    """

    name: ClassVar[str] = "als"
    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "factors": Choice((32, 64, 128, 192)),
        "alpha": Choice((1.0, 3.0, 10.0, 40.0)),
        "regularization": Range(0.1, 30.0, log=True),
        "iterations": Choice((10, 15, 25)),
    }

    def __init__(
        self,
        factors: int = 64,
        alpha: float = 3.0,
        regularization: float = 10.0,
        iterations: int = 15,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(factors, weighting)
        self.alpha, self.regularization, self.iterations = alpha, regularization, iterations

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        own = {"alpha": self.alpha, "regularization": self.regularization, "iterations": self.iterations}
        return super().params | own

    def _learn(self, matrix: csr_matrix, beat: Beat) -> np.ndarray:
        model = self._model()
        model.fit(matrix, show_progress=False, callback=lambda *_: beat())
        return np.asarray(model.item_factors, np.float32)

    def _model(self) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.factors, regularization=self.regularization, alpha=self.alpha, iterations=self.iterations,
            num_threads=N_THREADS, random_state=SEED,
        )  # fmt: skip

    def fold_in(self, matrix: csr_matrix) -> np.ndarray:
        """Solve each user's least squares with the item factors as they are."""
        model = self._model()
        model.item_factors = self.item_factors
        return np.asarray(model.recalculate_user(np.arange(matrix.shape[0]), matrix), np.float64)

    def _parts(self, own: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        q = self.item_factors[own].astype(np.float64)
        confidence = self.alpha * weights.astype(np.float64)
        a = self._gram() + (q.T * (confidence - 1)) @ q
        return np.asarray(confidence[:, None] * (q @ np.linalg.solve(a, self.item_factors[items].T.astype(np.float64))))

    def _gram(self) -> np.ndarray:
        q = self.item_factors.astype(np.float64)
        return np.asarray(q.T @ q + self.regularization * np.eye(q.shape[1]))


class Svd(Factors):
    """PureSVD: the truncated singular value decomposition of the weighted matrix, ``X ~ U S Q'``.

    ``score(u) = x(u) Q Q'``, which for a fitted user is her row of U S Q'; each own item j adds
    ``x(u, j) q(j) . q(i)``.

    Parameters
    ----------
    factors : int >= 1, at most one less than users or items.
    popular : float >= 0, exponent of the popularity scaling: columns of X are divided by their length to this power,
        so that the first factors are not only about the best-sellers; 0 = off.

    Source: Cremonesi, Koren and Turrin (2010), "Performance of recommender algorithms on top-N recommendation tasks",
    RecSys; the scaling: Nikolakopoulos et al. (2019), "EigenRec", Knowledge and Information Systems 58.
    """

    name: ClassVar[str] = "svd"
    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "factors": Range(10, 200, log=True), "popular": Choice((0.0, 0.2, 0.5)),
    }  # fmt: skip

    def __init__(self, factors: int = 50, popular: float = 0.0, weighting: Weighting | None = None) -> None:
        super().__init__(factors, weighting)
        self.popular = popular
        self.scale = np.empty(0, np.float64)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return super().params | {"popular": self.popular}

    def _learn(self, matrix: csr_matrix, beat: Beat) -> np.ndarray:
        from scipy.sparse.linalg import svds

        length = np.sqrt(np.bincount(matrix.indices, matrix.data.astype(np.float64) ** 2, matrix.shape[1]))
        self.scale = np.where(length > 0, np.maximum(length, 1e-12) ** -self.popular, 0)
        scaled = self._scaled(matrix)
        n_factors = min(self.factors, min(matrix.shape) - 1)
        if n_factors < 1:
            return np.asarray(np.linalg.svd(scaled.toarray(), full_matrices=False)[2].T, np.float32)
        start = np.random.default_rng(SEED).standard_normal(min(matrix.shape))
        _u, s, vt = svds(scaled, k=n_factors, v0=start, solver="arpack")
        # Without rank left, directions are chance.
        return np.asarray(vt[s > 1e-6 * s.max()].T[:, ::-1], np.float32)

    def _scaled(self, matrix: csr_matrix) -> csr_matrix:
        data = matrix.data.astype(np.float64) * self.scale[matrix.indices]
        return csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def fold_in(self, matrix: csr_matrix) -> np.ndarray:
        """Return x Q."""
        return np.asarray(self._scaled(matrix) @ self.item_factors.astype(np.float64))

    def _parts(self, own: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        q = self.item_factors.astype(np.float64)
        return np.asarray((weights * self.scale[own])[:, None] * (q[own] @ q[items].T))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return item factors, half-life and the scale of the columns."""
        return super().to_arrays() | {"scale": self.scale}

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> Self:
        """Take them back."""
        self.scale = arrays["scale"]
        return super().load_arrays(arrays)


class Bpr(Factors):
    """Bayesian personalised ranking: factors that rank an item she had above one she had not.

    Maximises ``sum over u, i had, j not had of log sigmoid(p(u) . q(i) - p(u) . q(j)) - regularization * squares`` by
    stochastic gradient steps on random triples; each item has a bias, kept as the last factor. Users are folded in
    as the mean of the factors of their items, weighted by w, not as the fitted factors: newer events count,
    and every own item has its part ``w(u, j) / sum w * q(j) . q(i)``. Scores are ``log(1 + exp(.))``, which keeps the
    order and stays above 0.

    Parameters
    ----------
    factors : int >= 1
    learning_rate, regularization : float > 0
    iterations : int >= 1, passes over as many triples as there are pairs.

    Source: Rendle et al. (2009), "BPR: Bayesian personalized ranking from implicit feedback", UAI; fitted by the
    library implicit. Users as the mean of their items: Kabbur et al. (2013), "FISM", KDD.
    """

    name: ClassVar[str] = "bpr"
    space: ClassVar[Space] = WEIGHTING_SPACE | {
        "factors": Choice((16, 32, 64, 128)),
        "learning_rate": Range(0.005, 0.2, log=True),
        "regularization": Range(0.0005, 0.1, log=True),
        "iterations": Choice((30, 50, 100, 200)),
    }

    def __init__(
        self,
        factors: int = 32,
        learning_rate: float = 0.05,
        regularization: float = 0.01,
        iterations: int = 50,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(factors, weighting)
        self.learning_rate, self.regularization, self.iterations = learning_rate, regularization, iterations

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        own = {"learning_rate": self.learning_rate, "regularization": self.regularization}
        return super().params | own | {"iterations": self.iterations}

    def _learn(self, matrix: csr_matrix, beat: Beat) -> np.ndarray:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        if (np.diff(matrix.indptr) % matrix.shape[1] == 0).all():
            # Everybody had everything or nothing: there is no triple to learn from, and the random start says nothing.
            return np.zeros((matrix.shape[1], self.factors + 1), np.float32)
        model = BayesianPersonalizedRanking(
            factors=self.factors, learning_rate=self.learning_rate, regularization=self.regularization,
            iterations=self.iterations, num_threads=N_THREADS, random_state=SEED,
        )  # fmt: skip
        model.fit(matrix, show_progress=False, callback=lambda *_: beat())
        return np.asarray(model.item_factors, np.float32)

    def fold_in(self, matrix: csr_matrix) -> np.ndarray:
        """Return the weighted mean of her items' factors, with a 1 for the bias."""
        total = np.asarray(matrix.sum(axis=1), np.float64).ravel()
        shares = scaled_rows(matrix, np.divide(1.0, total, out=np.zeros_like(total), where=total > 0))
        factors = np.asarray(shares.astype(np.float64) @ self.item_factors.astype(np.float64))
        factors[:, -1] = 1
        return factors

    def _positive(self, scores: np.ndarray) -> np.ndarray:
        return np.asarray(np.logaddexp(0, scores))

    def _parts(self, own: np.ndarray, weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        # A user is a mean: without item j the score falls by w(j) (s(j) - mean of s) / (all weights but w(j)). The bias
        # is nobody's.
        q = self.item_factors[:, :-1].astype(np.float64)
        near = q[own] @ q[items].T
        if len(own) == 1:
            return np.asarray(near)
        rest = weights.sum() - weights
        return np.asarray((weights / rest)[:, None] * (near - weights @ near / weights.sum()))
