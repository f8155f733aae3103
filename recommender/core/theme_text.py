"""What a mail says, as numbers: its words, the categories it is about, the layout it was made from."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack

from recommender.core.content import WORD

# Against 1 for the words: that two mails are about one category says more than that they share a greeting.
CATEGORY_WEIGHT, LAYOUT_WEIGHT = 1.5, 0.5
BETWEEN_PARTS = " > "
# A shorter row than this is rounding.
TINY = 1e-9


@dataclass(frozen=True)
class Said:
    """A mail: its text, the categories it is about (whole paths), the name of its layout ("" = its own)."""

    text: str
    categories: tuple[str, ...] = ()
    layout: str = ""


def kinship(known: list[Said], new: list[Said]) -> tuple[np.ndarray, np.ndarray]:
    """Return how alike mails are beside what is usual: 1 = the same, 0 = no more than any two, -1 = opposite.

    Parameters
    ----------
    known : mails that were sent; what is usual is told by them alone, so that a new mail changes nothing for others.
    new : mails to compare with them.

    Returns
    -------
    (among, kin) : float arrays of shape (n_known, n_known) and (n_new, n_known) in [-1, 1]: the cosines of the features
        less the mean of those of the known mails. What every mail of a shop says makes none like another. A mail that
        says only the usual has 0 with all others.
    """
    features = theme_features([*known, *new], len(known))
    mean = np.asarray(features[: len(known)].mean(axis=0)).ravel() if known else np.zeros(features.shape[1])
    # Products of centred rows, without making the rows dense: (f - m)(g - m) = fg - fm - gm + mm.
    with_mean = np.asarray(features @ mean).ravel()
    products = np.asarray((features @ features[: len(known)].T).todense(), float)
    products += mean @ mean - with_mean[:, None] - with_mean[None, : len(known)]
    own = np.asarray(features.multiply(features).sum(axis=1)).ravel() - 2 * with_mean + mean @ mean
    lengths = np.sqrt(np.maximum(own, 0.0))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > TINY)
    found = np.clip(products * scale[:, None] * scale[None, : len(known)], -1.0, 1.0)
    among = found[: len(known)]
    np.fill_diagonal(among, 1.0)
    return among, found[len(known) :]


def theme_features(mails: list[Said], n_known: int) -> csr_matrix:
    """Return (words | categories | layout), rows of length 1 or empty, float of shape (n_mails, n_features).

    A path counts with all above it: "Kitchen > Mugs" and "Kitchen > Plates" share half their length.
    """
    categories = [_with_above(mail.categories) for mail in mails]
    layouts = [[mail.layout] if mail.layout else [] for mail in mails]
    parts = [
        tf_idf([re.findall(WORD, mail.text.lower()) for mail in mails], n_known),
        _unit(_counts(categories)) * CATEGORY_WEIGHT,
        _unit(_counts(layouts)) * LAYOUT_WEIGHT,
    ]
    return _unit(csr_matrix(hstack(parts, format="csr")))


def tf_idf(texts: list[list[str]], n_known: int) -> csr_matrix:
    """Return the weights of the words of each text, rows of length 1: ``(1 + ln tf) * (1 + ln((1 + n) / (1 + df)))``.

    n and df, the number of texts with the word, are counted among the first ``n_known``.

    Source: TfidfVectorizer of scikit-learn with sublinear term frequency; written out, since that takes seconds to load
    in a process that answers a page.
    """
    counts = _counts(texts)
    counts.data = 1 + np.log(counts.data)
    times = np.bincount(counts[:n_known].indices, minlength=counts.shape[1])
    counts.data *= (1 + np.log((1 + n_known) / (1 + times)))[counts.indices]
    return _unit(counts)


def _with_above(paths: tuple[str, ...]) -> list[str]:
    found = []
    for path in paths:
        parts = path.split(BETWEEN_PARTS)
        found += [BETWEEN_PARTS.join(parts[: n + 1]) for n in range(len(parts))]
    return sorted(set(found))


def _counts(texts: list[list[str]]) -> csr_matrix:
    """Return how often each word stands in each text; columns by the alphabet."""
    columns = {word: n for n, word in enumerate(sorted({word for text in texts for word in text}))}
    cells = [(row, columns[word], n) for row, text in enumerate(texts) for word, n in Counter(text).items()]
    rows, places, data = zip(*cells, strict=True) if cells else ((), (), ())
    return csr_matrix((np.array(data, float), (rows, places)), shape=(len(texts), len(columns)))


def _unit(features: csr_matrix) -> csr_matrix:
    lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    found = csr_matrix(features, dtype=float, copy=True)
    found.data *= np.repeat(scale, np.diff(found.indptr))
    return found
