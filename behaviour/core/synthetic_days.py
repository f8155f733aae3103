"""All that happens in a shop that never was: what was looked at, put in the cart, ordered, returned, and opened."""

from dataclasses import dataclass

import numpy as np

from behaviour.core import synthetic

# Of a hundred events so many are order lines, cart events, favourites and returns; views are the rest.
LINES, CARTS, FAVOURITES, RETURNS = 35, 14, 2, 1
# Of the views and carts so many lead to an order line, the others to nothing.
LEAD = 0.6
VIEW_BEFORE, CART_BEFORE, RETURN_AFTER = 3 * 1440, 120, (5 * 1440, 30 * 1440)
# This share of the lines is bought at so much off.
REDUCED, REDUCED_BY = 0.15, 20
LAST_MINUTE = synthetic.DAYS * 1440 - 1
# Mails go to everybody at so many moments of the year; who opens one opens it within two days.
MAILS, OPEN_WITHIN = 52, 2 * 1440


@dataclass(frozen=True)
class Deeds:
    """Events: arrays of one length.

    kind : str; shopper, product : int; minute : int, from the start of the year; quantity : int; pence : int, -1 where
    there is none; order : int, -1 where there is none
    """

    kind: np.ndarray
    shopper: np.ndarray
    product: np.ndarray
    minute: np.ndarray
    quantity: np.ndarray
    pence: np.ndarray
    order: np.ndarray


@dataclass(frozen=True)
class Opens:
    """Opened mails: int arrays of one length; ``mail`` is one of the year's MAILS."""

    shopper: np.ndarray
    mail: np.ndarray
    minute: np.ndarray


def orders_of(n: int) -> int:
    """Return how many orders a block of n events has at most."""
    return -(-(n * LINES // 100 + 1) // synthetic.LINES_PER_ORDER)


def deeds(
    shop: synthetic.Tastes, n: int, first_order: int, rng: np.random.Generator, *, span: tuple[float, float]
) -> Deeds:
    """Draw a block of n events.

    Parameters
    ----------
    shop : who likes what
    n : int >= 1
    first_order : int, number of the first order; the block has at most ``orders_of(n)``
    rng : the only source of chance
    span : the part of the year's trade that the block is

    Returns
    -------
    Deeds of n rows, by shopper: databases then write their indexes at fewer places.
    """
    counts = {"cart": n * CARTS // 100, "favourite": n * FAVOURITES // 100, "refund": n * RETURNS // 100}
    n_lines = max(1, n * LINES // 100)
    counts["view"] = n - n_lines - sum(counts.values())
    lines = synthetic.lines(shop, n_lines, first_order, rng, span=span)
    reduced = np.where(rng.random(n_lines) < REDUCED, 100 - REDUCED_BY, 100)
    pence = np.maximum(1, shop.price_pence[lines.product] * reduced // 100) * lines.quantity
    parts = [_rows("purchase", lines.shopper, lines.product, lines.minute, lines.quantity, pence, lines.order)]
    for kind, before in (("view", VIEW_BEFORE), ("cart", CART_BEFORE), ("favourite", VIEW_BEFORE)):
        parts.append(_looks(kind, counts[kind], lines, shop, rng, before=before, span=span))
    back = rng.integers(0, n_lines, counts["refund"])
    later = np.minimum(LAST_MINUTE, lines.minute[back] + rng.integers(*RETURN_AFTER, counts["refund"]))
    parts.append(
        _rows("refund", lines.shopper[back], lines.product[back], later, lines.quantity[back], pence[back],
              lines.order[back])
    )  # fmt: skip
    whole = Deeds(*(np.concatenate([getattr(part, name) for part in parts]) for name in Deeds.__dataclass_fields__))
    by_shopper = np.argsort(whole.shopper, kind="stable")
    return Deeds(*(getattr(whole, name)[by_shopper] for name in Deeds.__dataclass_fields__))


def opens(shop: synthetic.Tastes, n: int, rng: np.random.Generator, *, span: tuple[float, float]) -> Opens:
    """Draw a block of n opened mails, by shopper; her own hour is the same on every day."""
    shopper = np.sort(synthetic.drawn_shoppers(shop, n, rng))
    low, high = (int(share * MAILS) for share in span)
    mail = rng.integers(low, max(high, low + 1), n)
    after = (shopper * 7919 % 1440 + rng.normal(0, 45, n)).astype(np.int64) % OPEN_WITHIN
    minute = mail * synthetic.DAYS // MAILS * 1440 + after
    return Opens(shopper, mail, np.clip(minute, 0, LAST_MINUTE))


def _looks(
    kind: str, n: int, lines: synthetic.Lines, shop: synthetic.Tastes, rng: np.random.Generator,
    *, before: int, span: tuple[float, float],
) -> Deeds:  # fmt: skip
    """Draw what came before an order line, and what came to nothing."""
    n_lead = int(n * LEAD)
    line = rng.integers(0, len(lines.shopper), n_lead)
    idle = synthetic.drawn_shoppers(shop, n - n_lead, rng)
    lead_minute = np.maximum(0, lines.minute[line] - 1 - rng.integers(0, before, n_lead))
    shopper = np.concatenate([lines.shopper[line], idle])
    product = np.concatenate([lines.product[line], synthetic.drawn_products(shop, idle, rng)])
    minute = np.concatenate([lead_minute, synthetic.drawn_minutes(n - n_lead, rng, span)])
    return _rows(kind, shopper, product, minute, np.ones(n, dtype=np.int64))


def _rows(
    kind: str, shopper: np.ndarray, product: np.ndarray, minute: np.ndarray, quantity: np.ndarray,
    pence: np.ndarray | None = None, order: np.ndarray | None = None,
) -> Deeds:  # fmt: skip
    none = np.full(len(shopper), -1, dtype=np.int64)
    return Deeds(
        kind=np.full(len(shopper), kind, dtype="U14"), shopper=shopper, product=product, minute=minute,
        quantity=quantity, pence=none if pence is None else pence, order=none if order is None else order,
    )  # fmt: skip
