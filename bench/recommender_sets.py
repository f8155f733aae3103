"""The behaviour data that bench.recommender measures on: what is learnt from, who is asked, and what they bought.

The files lie outside of the project; each is described by the README beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

PAIR = ["user_id", "item_id"]
K = 10
# Above this span (days) a split by time falls on a midnight.
LONG_SPAN = 20
TEST_SHARE = 0.2
FEW_PRODUCTS = 2


@dataclass(frozen=True)
class Task:
    """A question: which file, how it is split, and what must be reached.

    new : only products count that the shopper had not bought before; else all.
    ndcg, precision : the least that must be reached at 10.
    """

    file: str
    split: Callable[[pl.DataFrame, Path], tuple[pl.DataFrame, pl.DataFrame]]
    new: bool
    ndcg: float
    precision: float = 0.0


def by_time(events: pl.DataFrame, _data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold back what was bought in the last fifth of the time."""
    days = events["clock"]
    start, end = float(days.min()), float(days.max())  # type: ignore[arg-type]
    at = start + (1 - TEST_SHARE) * (end - start)
    at = float(np.floor(at)) if end - start > LONG_SPAN else at
    train, after = events.filter(pl.col("clock") < at), events.filter(pl.col("clock") >= at)
    return train, known_enough(after.filter(pl.col("event") == "purchase"), train)


def by_last(events: pl.DataFrame, _data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold back the newest event of each shopper who has two or more."""
    newest = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
    last = newest & (pl.len().over("user_id") > 1)
    train = events.filter(~last)
    return train, known_enough(events.filter(last), train)


def by_published_last(events: pl.DataFrame, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold back nothing: the last purchases were published in a file of their own."""
    return events, known_enough(pl.read_csv(data / "retailrocket_lastpurchase_test.csv.gz", infer_schema=False), events)


def by_published_pairs(events: pl.DataFrame, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold back the published pairs; every rating says that it was liked."""
    truth = pl.read_csv(data / "ml100k_mcrec_test.csv.gz", infer_schema=False)
    train = events.join(truth, on=PAIR, how="anti", maintain_order="left")
    return train.with_columns(event=pl.lit("purchase")), truth


TASKS: dict[str, Task] = {
    "online_retail-repeat": Task("online_retail", by_time, new=False, ndcg=0.380),
    "online_retail-new": Task("online_retail", by_time, new=True, ndcg=0.130),
    "taobao_a-new": Task("taobao_a", by_time, new=True, ndcg=0.117),
    "amazon_beauty-new": Task("amazon_beauty", by_last, new=True, ndcg=0.069),
    "retailrocket-new": Task("retailrocket", by_published_last, new=True, ndcg=0.120),
    "ml100k_pairs-new": Task("ml100k", by_published_pairs, new=True, ndcg=0.450, precision=0.37),
}  # fmt: skip


def known_enough(truth: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """Keep those of whom at least two products are known."""
    known = train.group_by("user_id").agg(n=pl.col("item_id").n_unique()).filter(pl.col("n") >= FEW_PRODUCTS)
    return truth.join(known, on="user_id", how="semi")


def write(task: Task, data: Path, folder: Path) -> pl.DataFrame:
    """Write history.csv, users.csv and, where there are any, items.csv.gz; return the pairs that were bought after."""
    events = pl.read_csv(data / f"{task.file}_events.csv.gz", infer_schema=False)
    clock = (
        pl.col("timestamp").str.to_datetime(time_zone="UTC", time_unit="us", strict=True).dt.epoch("us") / 86.4e9
        if "timestamp" in events.columns
        else pl.col("position").cast(pl.Float64)
    )
    events = events.with_columns(clock=clock).sort("clock", maintain_order=True)
    train, truth = task.split(events, data)
    train.drop("clock").write_csv(folder / "history.csv")
    truth = truth.select(PAIR).unique(maintain_order=True)
    truth.select(pl.col("user_id").unique().sort()).write_csv(folder / "users.csv")
    items = data / f"{task.file}_items.csv.gz"
    if items.exists():
        (folder / "items.csv.gz").write_bytes(items.read_bytes())
    if not task.new:
        return truth
    return truth.join(train.filter(pl.col("event") == "purchase"), on=PAIR, how="anti")


def scores(truth: pl.DataFrame, lists: Path) -> dict[str, np.ndarray]:
    """Return NDCG and precision at 10 of each shopper of the truth, in the order of their ids.

    The ideal is that of min(number of products bought, 10).
    """
    listed = pl.read_csv(lists, infer_schema=False).with_columns(pl.col("rank").cast(pl.Int32))
    listed = listed.filter(pl.col("rank") <= K).unique(PAIR)
    gain = 1 / (pl.col("rank") + 1).log(2)
    hits = listed.join(truth, on=PAIR, how="semi").group_by("user_id").agg(dcg=gain.sum(), hits=pl.len())
    wanted = truth.group_by("user_id").agg(n=pl.len()).sort("user_id").join(hits, on="user_id", how="left")
    wanted = wanted.fill_null(0).sort("user_id")
    ideal = np.cumsum(1 / np.log2(np.arange(2, K + 2)))[np.minimum(wanted["n"].to_numpy(), K) - 1]
    return {"ndcg": wanted["dcg"].to_numpy() / ideal, "precision": wanted["hits"].to_numpy() / K}
