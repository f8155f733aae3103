"""Content-based: items that say the same of themselves as those she likes; an item needs no buyer to be found."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, diags_array, hstack

from recommender.core.base import Beat, Choice, Space
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.item_based import nearest_items
from recommender.core.item_model import ITEM_SPACE, ItemModel
from recommender.core.weighting import Weighting

# A word is letters and digits; where no spaces part the words, each character is one.
WORD = r"[^\W_\u3040-\u30ff\u3400-\u9fff]{2,}|[\u3040-\u30ff\u3400-\u9fff]"
# A feature of more than this share of the items tells little apart, and would be multiplied with nearly everything.
COMMON_SHARE, COMMON_AT_LEAST = 0.2, 200
# The marks on the scale of prices stand this factor apart.
PRICE_FACTOR = 2.0


class Content(ItemModel):
    """``S = F F'``: the words' cosine, the same category and the closeness of prices; the k largest of each row.

    A row of F is ``(tf-idf of the words, of length 1 | category_weight at its category | price_weight at its price)``.
    On the logarithmic scale a price lies between two marks that are a factor of 2 apart, and is shared between them,
    so that equal prices have the product price_weight^2 and those a factor of 4 apart none.

    Parameters
    ----------
    category_weight, price_weight : float >= 0, against 1 for the words.
    k : int >= 1, items kept for each item.

    Source: Lops, de Gemmis and Semeraro (2011), "Content-based recommender systems", Recommender Systems Handbook,
    section 3.3.1.1; tf-idf as TfidfVectorizer of scikit-learn with sublinear term frequency.
    """

    name: ClassVar[str] = "content"
    space: ClassVar[Space] = ITEM_SPACE | {
        "category_weight": Choice((0.0, 0.3, 0.6)), "price_weight": Choice((0.0, 0.2, 0.4)), "k": Choice((50, 200)),
    }  # fmt: skip

    def __init__(
        self,
        category_weight: float = 0.3,
        price_weight: float = 0.2,
        k: int = 200,
        self_weight: float = 2.0,
        weighting: Weighting | None = None,
    ) -> None:
        super().__init__(self_weight, weighting)
        self.category_weight, self.price_weight, self.k = category_weight, price_weight, k
        self.catalogue = Catalogue.empty(0)

    @property
    def params(self) -> dict[str, Any]:
        """Settings of the model."""
        own = {"category_weight": self.category_weight, "price_weight": self.price_weight, "k": self.k}
        return own | super().params

    def _fit(self, interactions: Interactions, catalogue: Catalogue, beat: Beat) -> None:
        self.catalogue = catalogue
        super()._fit(interactions, catalogue, beat)
        # Only needed while fitting.
        self.catalogue = Catalogue.empty(0)

    def similarities(self, interactions: Interactions, beat: Beat) -> csr_matrix:
        """Compare all items of the catalogue, sold or not."""
        return nearest_items(self.features(self.catalogue), self.k, shrink=0.0, beat=beat)

    def features(self, catalogue: Catalogue) -> csr_matrix:
        """Return F, float32 of shape (n_items, n_features)."""
        parts = [
            words(catalogue.texts),
            one_category(catalogue.categories) * np.float32(self.category_weight),
            price_marks(catalogue.prices) * np.float32(self.price_weight),
        ]
        together = csr_matrix(hstack(parts, format="csr", dtype=np.float32))
        together.eliminate_zeros()
        return without_common(together)


def words(texts: list[str]) -> csr_matrix:
    """Return the tf-idf of the words of each text, rows of length 1, shape (n_items, n_words)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        return csr_matrix(TfidfVectorizer(token_pattern=WORD, sublinear_tf=True, dtype=np.float32).fit_transform(texts))
    except ValueError:
        # There is no word in any text.
        return csr_matrix((len(texts), 0), dtype=np.float32)


def one_category(categories: np.ndarray) -> csr_matrix:
    """Return a one in the column of each item's category, shape (n_items, n_categories); -1 gives an empty row."""
    known = np.flatnonzero(categories >= 0)
    shape = (len(categories), int(categories.max(initial=-1)) + 1)
    return csr_matrix((np.ones(len(known), np.float32), (known, categories[known])), shape=shape)


def price_marks(prices: np.ndarray) -> csr_matrix:
    """Return each price, shared between the two marks around it so that the row has length 1; unknown: empty."""
    known = np.flatnonzero(np.isfinite(prices) & (prices > 0))
    if not len(known):
        return csr_matrix((len(prices), 0), dtype=np.float32)
    place = np.log(prices[known].astype(float)) / np.log(PRICE_FACTOR)
    mark = np.floor(place)
    above = place - mark
    mark = (mark - mark.min()).astype(int)
    length = np.hypot(above, 1 - above)
    data = np.concatenate([(1 - above) / length, above / length]).astype(np.float32)
    rows, columns = np.concatenate([known, known]), np.concatenate([mark, mark + 1])
    return csr_matrix((data, (rows, columns)), shape=(len(prices), int(mark.max()) + 2))


def without_common(features: csr_matrix) -> csr_matrix:
    """Return the features with those columns empty that most items share."""
    times = np.bincount(features.indices, minlength=features.shape[1])
    rare = times <= max(COMMON_SHARE * features.shape[0], COMMON_AT_LEAST)
    left = csr_matrix(features @ diags_array(rare.astype(np.float32)))
    left.eliminate_zeros()
    return left
