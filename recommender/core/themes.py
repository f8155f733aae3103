"""Which mail for whom: what shoppers opened and clicked before, carried over to a mail by how alike the mails are.

A mail's *theme* is what it says: words, categories, layout (recommender.core.theme_text). A new one has no clicks yet,
and is judged by those that say the same. A mail that was sent and not clicked counts as well: what is learnt is how
much more, or less, a shopper reacts than is usual for the mails she got.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

# What an open without a click is worth beside a click where the mails do not tell.
OPEN = 0.25
# A theme sent to few has a rate near that of the whole shop: the shop's rate counts like so many mails more.
PRIOR_MAILS = 25.0
# Cells of a dense block.
BLOCK_CELLS = 4_000_000
LEAST, MOST = 0.05, 20.0


@dataclass(frozen=True)
class Exposures:
    """Mails that were sent, one each of a shopper and a theme.

    Attributes
    ----------
    shoppers, themes : int arrays of shape (n_mails,), places from 0
    clicked : bool array of shape (n_mails,), by a person
    opened : bool array of shape (n_mails,), by a person; a click is an open
    known : bool array of shape (n_mails,): False where only a machine fetched the pictures, so nobody can say whether
        a person read it. Such a mail counts for clicks and not for opens.
    shape : (n_shoppers, n_themes)
    """

    shoppers: np.ndarray
    themes: np.ndarray
    clicked: np.ndarray
    opened: np.ndarray
    known: np.ndarray
    shape: tuple[int, int]

    def of(self, wanted: np.ndarray) -> Self:
        """Return the mails of a mask; places and shape stay."""
        return replace(
            self, shoppers=self.shoppers[wanted], themes=self.themes[wanted], clicked=self.clicked[wanted],
            opened=self.opened[wanted], known=self.known[wanted],
        )  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """How often each theme was clicked, and opened without a click, of all mails of it.

    Attributes
    ----------
    clicks, opens : float arrays of shape (n_themes,) in (0, 1), shrunk towards the rate of the shop
    shop_clicks, shop_opens : float
    """

    clicks: np.ndarray
    opens: np.ndarray
    shop_clicks: float
    shop_opens: float


def rates_of(sent: Exposures) -> Rates:
    """Return ``(k + PRIOR_MAILS * shop) / (n + PRIOR_MAILS)`` of each theme; the shop itself has half a click more.

    Opens are counted among the mails whose opening can be known. Themes that nobody got have the rate of the shop.
    """
    n_themes = sent.shape[1]
    only_opened = sent.opened & ~sent.clicked & sent.known
    found = []
    for hit, among in ((sent.clicked, np.ones(len(sent.clicked), bool)), (only_opened, sent.known)):
        n, k = (np.bincount(sent.themes[mask], minlength=n_themes).astype(float) for mask in (among, hit & among))
        shop = (k.sum() + 0.5) / (n.sum() + 1)
        found.append(((k + PRIOR_MAILS * shop) / (n + PRIOR_MAILS), float(shop)))
    (clicks, shop_clicks), (opens, shop_opens) = found
    return Rates(clicks, opens, shop_clicks, shop_opens)


def expected_rates(rates: Rates, sent: np.ndarray, kin: np.ndarray) -> np.ndarray:
    """Return the click rate that is expected of mails: the mean of those like them, towards the shop's rate.

    Parameters
    ----------
    rates : of the themes that were sent.
    sent : float array of shape (n_themes,), mails of each.
    kin : float array of shape (n_wanted, n_themes) in [-1, 1] (theme_text.kinship).

    Returns
    -------
    float array of shape (n_wanted,): ``sum(s^2 n rate) + PRIOR_MAILS * shop`` over ``sum(s^2 n) + PRIOR_MAILS``, of
    the themes with s > 0. With the square, a word in common says little and the same theme says all.
    """
    weights = np.maximum(kin, 0.0) ** 2 * sent
    return np.asarray(
        (weights @ rates.clicks + PRIOR_MAILS * rates.shop_clicks) / (weights.sum(axis=1) + PRIOR_MAILS), float
    )


@dataclass(frozen=True)
class Themes:
    """What is known after learning: each shopper's surprises, and how far they carry.

    Attributes
    ----------
    surprise, expected, noise : csr_matrix of shape (n_shoppers, n_themes); of each mail what she did less what was
        expected (clicked: 1, opened: ``open_worth``, else 0), that expectation, and its variance
    among : float array of shape (n_themes, n_themes) in [-1, 1], how alike the themes are (theme_text.kinship)
    lively : variance between shoppers of how much they react at all, as a factor of what is expected
    taste : variance of how much they react to one theme beyond that
    """

    surprise: csr_matrix
    expected: csr_matrix
    noise: csr_matrix
    among: np.ndarray
    rates: Rates
    sent: np.ndarray
    lively: float
    taste: float
    open_worth: float


def learn(sent: Exposures, among: np.ndarray) -> Themes:
    """Learn from mails that were sent.

    The model: a mail i of a shopper is expected to bring ``e_i (1 + b_i)``, where b has mean 0 over shoppers and
    ``cov(b_i, b_j) = lively + taste * s_ij`` for two mails of one shopper whose themes are alike by s.
    """
    rates = rates_of(sent)
    of_open = open_worth(sent, rates, among)
    surprise, expected, noise = surprises(sent, rates, of_open)
    lively, taste = variances(surprise, expected, among)
    n_sent = np.bincount(sent.themes, minlength=sent.shape[1]).astype(float)
    return Themes(surprise, expected, noise, among, rates, n_sent, lively, taste, of_open)


def open_worth(sent: Exposures, rates: Rates, among: np.ndarray) -> float:
    """Return what an open without a click tells of clicks in mails like it, beside what a click tells; in [0, 1].

    ``(c_open / v_open) / (c_click / v_click)``: c is the sum over pairs of mails of one shopper, weighted by
    ``max(s_ij, 0)^2``, of the surprise about the click of one times that about the click (the open) of the other, v the
    variance of that surprise: the weights of the best linear guess from two signals with noise of their own. Where
    clicks tell nothing themselves: OPEN.

    Source: Fisher (1936), Annals of Eugenics 7(2), 179-188, the linear discriminant with uncorrelated measures.
    """
    place, usual = (sent.shoppers, sent.themes), (rates.clicks[sent.themes], rates.opens[sent.themes])
    done = (sent.clicked * 1.0, (sent.opened & ~sent.clicked & sent.known) * 1.0)
    counted = (np.ones(len(sent.clicked), bool), sent.known)
    clicks, opens = (
        csr_matrix(((did - rate) * seen, place), shape=sent.shape)
        for did, rate, seen in zip(done, usual, counted, strict=True)
    )
    noise = [float((rate * (1 - rate) * seen).sum()) for rate, seen in zip(usual, counted, strict=True)]
    weights = np.maximum(among, 0.0) ** 2 * (1 - np.eye(len(among)))
    of_click, of_open = (float((np.asarray((clicks.T @ other).todense()) * weights).sum()) for other in (clicks, opens))
    if of_click <= 0 or not noise[1]:
        return OPEN
    return float(np.clip((of_open / noise[1]) / (of_click / noise[0]), 0.0, 1.0))


def surprises(sent: Exposures, rates: Rates, of_open: float) -> tuple[csr_matrix, csr_matrix, csr_matrix]:
    """Return surprise, expected and noise of ``Themes``: what each mail brought beside what its theme usually does.

    A mail brings 1 with a click, ``of_open`` with an open by a person, else 0.
    """
    click, opened = rates.clicks[sent.themes], rates.opens[sent.themes] * sent.known
    expected = click + of_open * opened
    noise = click + of_open**2 * opened - expected**2
    done = np.where(sent.clicked, 1.0, of_open * (sent.opened & sent.known))
    place = (sent.shoppers, sent.themes)
    first, second, third = (csr_matrix((v, place), shape=sent.shape) for v in (done - expected, expected, noise))
    return first, second, third


def variances(surprise: csr_matrix, expected: csr_matrix, among: np.ndarray) -> tuple[float, float]:
    """Return (lively, taste) that fit the products of surprises of two mails of one shopper best.

    ``E[r_i r_j] = e_i e_j (lively + taste * s_ij)``: least squares over all pairs, each weighted by ``1 / (e_i e_j)``,
    the inverse of its noise. Neither is below zero.

    Source: Haseman and Elston (1972), Behavior Genetics 2(1), 3-19: regression of products on kinship.
    """
    done, weight = (np.asarray((m.T @ m).todense(), float) for m in (surprise, expected))
    for pairs in (done, weight):
        np.fill_diagonal(pairs, 0.0)
    one, both, kin = weight.sum(), (weight * among).sum(), (weight * among**2).sum()
    left, right = done.sum(), (done * among).sum()
    determinant = one * kin - both**2
    if determinant > 1e-12 * max(one * kin, 1e-300):
        lively, taste = (left * kin - right * both) / determinant, (one * right - both * left) / determinant
        if lively >= 0 and taste >= 0:
            return float(lively), float(taste)
    # On an edge: one of them alone explains more.
    only_lively, only_taste = max(left / one, 0.0) if one else 0.0, max(right / kin, 0.0) if kin else 0.0
    if only_lively * left >= only_taste * right:
        return float(only_lively), 0.0
    return 0.0, float(only_taste)


@dataclass(frozen=True)
class Liking:
    """How much more than usual shoppers react to one mail.

    Attributes
    ----------
    factor : float array of shape (n_shoppers,) in [LEAST, MOST]: 1 = as everybody does
    by_taste : bool array of shape (n_shoppers,): what she did with mails like it says more than how lively she is
    n_mails : int array of shape (n_shoppers,), mails that she got
    """

    factor: np.ndarray
    by_taste: np.ndarray
    n_mails: np.ndarray


def liking(themes: Themes, kin: np.ndarray) -> Liking:
    """Return how much each shopper likes a mail whose theme is alike to those that were sent by ``kin``.

    Parameters
    ----------
    kin : float array of shape (n_themes,) in [-1, 1]; all 0 for a mail that is like none.

    The best linear prediction of b from one number, the score ``z = sum(r_j k_j e_j / v_j)`` with
    ``k_j = lively + taste * kin_j``: ``cov(b, z) / var(z) * z``, where ``cov = sum((k_j e_j)^2 / v_j)`` and
    ``var = cov + sum of u_i u_j (lively + taste s_ij)`` with ``u_j = k_j e_j^2 / v_j``. So few mails say little: a
    shopper without any has the factor 1.

    Source: Buehlmann (1967), ASTIN Bulletin 4(3), 199-207: credibility as best linear prediction.
    """
    wanted = themes.lively + themes.taste * np.asarray(kin, float)
    covariances = themes.lively + themes.taste * themes.among
    n_shoppers, n_themes = themes.surprise.shape
    step, size = np.zeros(n_shoppers), max(1, BLOCK_CELLS // max(n_themes, 1))
    lively_part = np.zeros(n_shoppers)
    for start in range(0, n_shoppers, size):
        rows = slice(start, start + size)
        surprise, expected, noise = themes.surprise[rows], themes.expected[rows], themes.noise[rows]
        # All three have the same places in the same order.
        scale, at = expected.data / noise.data, expected.indices
        pulls = csr_matrix((surprise.data * scale * wanted[at], at, expected.indptr), shape=expected.shape)
        plain = csr_matrix((surprise.data * scale * themes.lively, at, expected.indptr), shape=expected.shape)
        reach = csr_matrix((wanted[at] * expected.data * scale, at, expected.indptr), shape=expected.shape)
        straight = csr_matrix((wanted[at] ** 2 * expected.data * scale, at, expected.indptr), shape=expected.shape)
        covariance = np.asarray(straight.sum(axis=1)).ravel()
        variance = covariance + np.asarray(reach.multiply(reach @ covariances).sum(axis=1)).ravel()
        share = np.divide(covariance, variance, out=np.zeros_like(covariance), where=variance > 0)
        step[rows] = share * np.asarray(pulls.sum(axis=1)).ravel()
        lively_part[rows] = share * np.asarray(plain.sum(axis=1)).ravel()
    by_taste = np.abs(step - lively_part) > np.abs(lively_part)
    return Liking(np.clip(1 + step, LEAST, MOST), by_taste, np.diff(themes.surprise.indptr))
