"""A walk over the graph of users and items: from an item of hers to whoever has it, and on to what they have."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recommender.core.base import Beat, Choice, Range, Space
from recommender.core.interactions import Interactions
from recommender.core.item_based import nearest
from recommender.core.item_model import ITEM_SPACE, ItemModel
from recommender.core.weighting import Weighting


class Rp3Beta(ItemModel):
    """``S(j, i) = sum over u of P(u | j)^alpha * P(i | u)^alpha / popularity(i)^beta``, the k largest of each row j.

    P are the chances of a step: ``P(u | j) = x(u, j) / sum over v of x(v, j)``, ``P(i | u) = x(u, i) / sum over l of
    x(u, l)``; popularity(i) is the number of users who have i.

    Parameters
    ----------
    alpha : float > 0, below 1 weak steps count more.
    beta : float >= 0, how much popular items are held back.
    k : int >= 1, items kept for each item.

    Source: Paudel, Christoffel, Newell and Bernstein (2017), "Updatable, accurate, diverse, and scalable
    recommendations for interactive applications", ACM TiiS 7(1).
    """

    name: ClassVar[str] = "rp3beta"
    space: ClassVar[Space] = ITEM_SPACE | {
        "alpha": Range(0.4, 1.3), "beta": Range(0.0, 0.6), "k": Choice((50, 100, 200, 400)),
    }  # fmt: skip

    def __init__(
        self,
        alpha: float = 0.8,
        beta: float = 0.3,
        k: int = 200,
        self_weight: float = 2.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(self_weight, weighting)
        self.alpha, self.beta, self.k = alpha, beta, k

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        return {"alpha": self.alpha, "beta": self.beta, "k": self.k} | super().params

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Return the k items of each item to which most walks of two steps lead."""
        matrix = self.weighted(interactions)
        popularity = np.maximum(np.bincount(matrix.indices, minlength=matrix.shape[1]), 1)
        out = steps(csr_matrix(matrix.T), self.alpha)
        back = csr_matrix(steps(matrix, self.alpha) @ diags_array(popularity.astype(np.float32) ** -self.beta))
        return nearest(out, back, self.k, beat=beat, divide=self.divide)


def steps(matrix: csr_matrix, alpha: float) -> csr_matrix:
    """Return the chance of a step from each row to each column, to the power of alpha, float32; empty rows stay so."""
    total = np.asarray(matrix.sum(axis=1), np.float64).ravel()
    data = (matrix.data / np.repeat(total, np.diff(matrix.indptr))) ** alpha
    return csr_matrix((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
