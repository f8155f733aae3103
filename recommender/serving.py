"""Picks for a whole batch of shoppers: newest events in, products with evidence out, in a handful of queries."""

import logging
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from django.utils import timezone

from mailai.errors import ArtefactError
from recommender import artefacts, evidence, ladder, queries
from recommender.artefacts import Artefact
from recommender.batch import Asked, Stock
from recommender.core.base import BLOCK_CELLS
from recommender.core.slots import POOL, fill_slots, uniform_draws
from recommender.filters import Filters
from recommender.ladder import Candidates
from recommender.models import TrainingRun
from recommender.picks import LEVELS, NEWEST, Pick

logger = logging.getLogger(__name__)
Picks = dict[int, list[Pick]]
# For so few shoppers the products that came into question are asked for, not the whole stock.
FEW = 20
# Candidates of each rung; deep enough that what is sold out or limited seldom leaves a slot empty.
DEPTH, DEPTH_OF_FEW, PER_SLOT = 60, 200, 8
# New products that every draw may choose.
N_FRESH = 10


def top_products(
    shopper_ids: Sequence[int],
    k: int,
    *,
    at: datetime | None = None,
    filters: Filters | None = None,
    run: TrainingRun | None = None,
) -> Picks:
    """Return up to k picks of each shopper, best first, from her events up to ``at`` (default: now).

    The ladder: what the model finds for her, neighbours of what she looked at, what trends in her category, what
    trends, most popular, newest; each pick says its level. Only products that are active, in stock, have a picture and
    fit the filters; without any filter, none that she bought. Whoever refused personal picks gets what is the same for
    everybody. Without ``run`` the champion decides; if its file is damaged, the last good one does; without any, plain
    best-sellers do.

    What it costs at a million shoppers: docs/recommender.md, part 6.
    """
    moment, filters = at or timezone.now(), filters or Filters()
    ids = list(dict.fromkeys(shopper_ids))
    if not ids or k < 1:
        return {shopper: [] for shopper in ids}
    artefact = artefacts.load(run) if run else serving_artefact()
    asked = Asked.read(ids, k, moment, filters)
    attempt = _Attempt(artefact, asked, None if len(ids) <= FEW else Stock.read(filters))
    if attempt.stock is None and attempt.short.any():
        attempt = _Attempt(artefact, asked, Stock.read(filters))
    return attempt.picks()


def serving_artefact() -> Artefact | None:
    """Return the champion's model, or that of the last champion whose file is whole."""
    for run in queries.earlier_champions():
        try:
            return artefacts.load(run)
        except ArtefactError as error:
            logger.error("Run %s can't serve: %s", run.uuid, error)
    return None


class _Attempt:
    """Slots filled from the whole stock, or, without one, from what of the candidates can be sold.

    Whoever the model itself has enough for gets nothing from the rungs below, so these are read only for the others;
    where the limits leave a slot empty then, for her alone, down to the last product.
    """

    def __init__(self, artefact: Artefact | None, asked: Asked, stock: Stock | None) -> None:
        self.artefact, self.asked, self.stock = artefact, asked, stock
        self.near: Artefact | None = None
        filters, shape = asked.filters, (len(asked.shoppers), asked.k)
        self.chosen = Candidates.of(np.full(shape, -1, np.int64), np.zeros(shape, np.float32), NEWEST)
        self.probabilities = np.zeros(shape)
        own = ladder.own(artefact, asked, self._n_own(), stock)
        if not filters.exploration:
            self._fill(np.arange(len(asked.shoppers)), own)
        # Draws want the whole ladder for everybody: all slots are empty still.
        self._go_down(own, (DEPTH if stock else DEPTH_OF_FEW) + PER_SLOT * asked.k)
        if stock:
            self._go_down(own, len(stock.products))

    @property
    def short(self) -> np.ndarray:
        """Whose slots are not all filled: bool of shape (n_shoppers,)."""
        return np.asarray((self.chosen.products < 0).any(axis=1))

    def _n_own(self) -> int:
        filters, k = self.asked.filters, self.asked.k
        wide = max(k * PER_SLOT if filters.per_category else k, k + POOL if filters.exploration else k)
        return wide if self.stock else max(wide, DEPTH_OF_FEW)

    def _go_down(self, own: Candidates, n: int) -> None:
        """Fill the slots of whoever is short from the rungs below too, in blocks of BLOCK_CELLS candidates."""
        rows = np.flatnonzero(self.short)
        size = max(1, BLOCK_CELLS // max(len(LEVELS) * n, 1))
        for start in range(0, len(rows) if n else 0, size):
            block = rows[start : start + size]
            rest, self.near = ladder.rest(self.artefact, self.asked, block, n, self.stock)
            self._fill(block, Candidates.beside([own.at(block), rest]))

    def _fill(self, rows: np.ndarray, candidates: Candidates) -> None:
        """Fill all slots of some shoppers; the first of the last rung are always drawn among, few know them yet."""
        filters, asked = self.asked.filters, self.asked
        stock = self.stock or Stock.read(filters, np.unique(candidates.products[candidates.products >= 0]))
        allowed = (stock.places(candidates.products) >= 0) & ~asked.out.have(rows, candidates.products)
        products = np.where(allowed, candidates.products, -1)
        newest = (candidates.levels == LEVELS.index(NEWEST)).all(axis=0)
        places, self.probabilities[rows] = fill_slots(
            products, stock.categories_of(products), asked.k, per_category=filters.per_category,
            exploration=filters.exploration, draws=self._draws(rows), fresh=newest & (np.cumsum(newest) <= N_FRESH),
        )  # fmt: skip
        if products.shape[1]:
            self.chosen.put(rows, Candidates(products, candidates.scores, candidates.levels), places)

    def _draws(self, rows: np.ndarray) -> np.ndarray | None:
        filters, asked = self.asked.filters, self.asked
        if not filters.exploration:
            return None
        seed = int(asked.at.timestamp()) if filters.decision is None else filters.decision
        return uniform_draws(seed, asked.shoppers[rows], asked.k)

    def picks(self) -> Picks:
        """Return the picks with their evidence."""
        because = evidence.because(self.asked, self.chosen, self.artefact, self.near)
        parts = (self.chosen.products, self.chosen.scores, self.chosen.levels, self.probabilities)
        return {
            shopper: [
                Pick(product, score, LEVELS[level], why, probability)
                for product, score, level, probability, why in zip(*row, strict=True)
                if product >= 0
            ]
            for shopper, *row in zip(self.asked.shoppers.tolist(), *(p.tolist() for p in parts), because, strict=True)
        }
