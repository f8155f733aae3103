"""The slots of a mail, filled from ranked candidates: nothing twice, variety, and now and then a draw."""

import numpy as np

# A draw chooses among so many of the best that are left.
POOL = 40
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform_draws(seed: int, keys: np.ndarray, n: int) -> np.ndarray:
    """Return numbers in [0, 1), shape (len(keys), n): the same for a seed and a key, whoever else is in the batch.

    SplitMix64, a generator whose state is a counter, so that nobody has to draw in turn.

    Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA, figure 16.
    """
    state = _mixed(np.uint64(seed % 2**64) + _GOLDEN * np.arange(1, n + 1, dtype=np.uint64))[None, :]
    state = _mixed(state ^ _mixed(np.asarray(keys).astype(np.uint64) * _GOLDEN)[:, None])
    return np.asarray((state >> np.uint64(11)) * 2.0**-53)


def _mixed(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def fill_slots(
    candidates: np.ndarray,
    categories: np.ndarray,
    k: int,
    *,
    per_category: int = 0,
    exploration: float = 0.0,
    draws: np.ndarray | None = None,
    fresh: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose k candidates of each user, slot by slot.

    A slot takes the best candidate that is left; with probability ``exploration`` it takes one of the pool instead,
    each with the same chance: the POOL best that are left, and those that are ``fresh``. So a candidate a has, given
    the slots before,

        p(a) = (1 - exploration) * [a is the best] + exploration / |pool|,

    and the product over the slots is the probability of the whole list (epsilon-greedy, Sutton and Barto 2018,
    section 2.2; logged for off-policy evaluation, Li et al. 2011, WSDM, section 4).

    Parameters
    ----------
    candidates : int array of shape (n_users, n_candidates), best first, -1 = none; the first of equal ones counts.
    categories : int array of that shape, -1 = no category, which no limit concerns.
    k : int >= 1
    per_category : at most so many of one category, 0 = any number.
    exploration : in [0, 1].
    draws : float array of shape (n_users, k) in [0, 1), needed for exploration.
    fresh : bool array of shape (n_candidates,): columns that are always in the pool; few have tried these.

    Returns
    -------
    places : int array of shape (n_users, k), columns of ``candidates``, -1 where nothing is left.
    probabilities : float array of that shape, 0 there.
    """
    free = (candidates >= 0) & _firsts(candidates)
    n_users, rows = len(candidates), np.arange(len(candidates))
    places, probabilities = np.full((n_users, k), -1, np.int64), np.zeros((n_users, k))
    if not candidates.size:
        return places, probabilities
    for slot in range(k):
        left = free.any(axis=1)
        if not left.any():
            break
        place, chance = free.argmax(axis=1), np.ones(n_users)
        if exploration and draws is not None:
            place, chance = _drawn(free, place, draws[:, slot], exploration, fresh)
        places[:, slot] = np.where(left, place, -1)
        probabilities[:, slot] = np.where(left, chance, 0.0)
        free[rows, place] = False
        if per_category:
            _close_full(free, categories, places[:, : slot + 1], per_category)
    return places, probabilities


def _drawn(
    free: np.ndarray, best: np.ndarray, draw: np.ndarray, exploration: float, fresh: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the column of each user that a draw chooses, and how likely that was; ``draw`` has shape (n_users,)."""
    pool = free & (np.cumsum(free, axis=1) <= POOL)
    if fresh is not None:
        pool |= free & fresh
    size = np.maximum(pool.sum(axis=1), 1)
    # Below the share the draw, stretched to [0, 1), also says which one.
    number = np.minimum((draw / exploration * size).astype(np.int64), size - 1)
    explored = (np.cumsum(pool, axis=1) > number[:, None]).argmax(axis=1)
    place = np.where(draw < exploration, explored, best)
    return place, exploration / size + (1 - exploration) * (place == best)


def _close_full(free: np.ndarray, categories: np.ndarray, places: np.ndarray, per_category: int) -> None:
    """Take away, in place, what is of the category that the last slot made full."""
    taken = np.where(places >= 0, np.take_along_axis(categories, np.maximum(places, 0), 1), -1)
    last = taken[:, -1:]
    full = (last[:, 0] >= 0) & ((taken == last).sum(axis=1) >= per_category)
    free &= ~(full[:, None] & (categories == last))


def _firsts(candidates: np.ndarray) -> np.ndarray:
    """Say of each cell whether it is the first of its value in its row: bool of the same shape."""
    order = np.argsort(candidates, axis=1, kind="stable")
    ordered = np.take_along_axis(candidates, order, 1)
    first = np.ones(candidates.shape, bool)
    np.put_along_axis(first, order[:, 1:], ordered[:, 1:] != ordered[:, :-1], 1)
    return first
