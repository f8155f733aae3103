"""The file that the import benchmark reads: six columns, in order of time, one row in a thousand wrong.

Shoppers come for visits of some minutes, as they do; a third of them is there from the start, the others come later.
"""

from pathlib import Path

import numpy as np
import polars as pl

BAD_EVERY = 1000
# One shopper for so many rows; few of them do most.
ROWS_PER_SHOPPER, N_PRODUCTS = 25, 20_000
ROWS_PER_VISIT, VISIT_MS, OLD_SHOPPERS = 5, 600_000, 1 / 3
KINDS, SHARES = ["view", "cart", "purchase"], [0.86, 0.10, 0.04]
BLOCK = 500_000
START, MILLISECONDS = np.datetime64("2025-01-01T00:00:00", "ms"), 330 * 86_400_000


def write_file(path: Path, n_rows: int, seed: int = 4) -> None:
    """Write the file in blocks, so that ten million rows need no more memory than one."""
    draw = np.random.default_rng(seed)
    with path.open("wb") as file:
        for first in range(0, n_rows, BLOCK):
            frame = _rows(draw, first, min(BLOCK, n_rows - first), n_rows)
            frame.write_csv(file, include_header=first == 0)


def _rows(draw: np.random.Generator, first: int, n: int, n_all: int) -> pl.DataFrame:
    visit, at = _visits(draw, first, n, n_all)
    n_visits = int(visit.max()) + 1
    come = n_all / ROWS_PER_SHOPPER * (OLD_SHOPPERS + (1 - OLD_SHOPPERS) * first / n_all)
    shoppers = (draw.random(n_visits) ** 2 * max(come, 1)).astype(np.int64)
    frame = pl.DataFrame(
        {
            "user_id": shoppers[visit],
            "item_id": (draw.random(n) ** 2 * N_PRODUCTS).astype(np.int64),
            "event": draw.choice(KINDS, n, p=SHARES),
            "timestamp": START + at.astype("timedelta64[ms]"),
            "quantity": draw.integers(1, 4, n),
            "price": np.round(draw.gamma(2.0, 12.0, n) + 0.5, 2),
        }
    )
    frame = frame.select(
        pl.format("u{}", "user_id").alias("user_id"),
        pl.format("sku-{}", "item_id").alias("item_id"),
        "event",
        pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"),
        pl.col("quantity").cast(pl.String),
        pl.col("price").cast(pl.String),
    )
    return _spoilt(frame, np.arange(first, first + n))


def _visits(draw: np.random.Generator, first: int, n: int, n_all: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the visit and the time of each row, in order of time; a visit has a geometric number of rows."""
    lengths = draw.geometric(1 / ROWS_PER_VISIT, n)
    visit = np.repeat(np.arange(n), lengths)[:n]
    begin, end = (place * MILLISECONDS // n_all for place in (first, first + n))
    starts = draw.integers(begin, max(end - VISIT_MS, begin + 1), n)
    at = starts[visit] + draw.integers(0, VISIT_MS, n)
    order = np.argsort(at, kind="stable")
    return visit[order], at[order]


def _spoilt(frame: pl.DataFrame, places: np.ndarray) -> pl.DataFrame:
    """Put one wrong cell into every thousandth row, another kind of wrong each time."""
    wrong = (("user_id", ""), ("event", "zap"), ("timestamp", "yesterday"), ("quantity", "many"), ("price", "-3.50"))
    turn = pl.Series("turn", np.where(places % BAD_EVERY == BAD_EVERY - 1, places // BAD_EVERY % len(wrong), -1))
    frame = frame.with_columns(turn)
    return frame.with_columns(
        pl.when(pl.col("turn") == k).then(pl.lit(text)).otherwise(pl.col(name)).alias(name)
        for k, (name, text) in enumerate(wrong)
    ).drop("turn")
