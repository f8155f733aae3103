"""The year of orders that ships with MailAI, read from behaviour/demo_data (see SOURCE.md there)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).resolve().parent.parent / "demo_data"
ZONE = "Europe/London"
N_LINES = 391_150


@dataclass(frozen=True)
class Year:
    """The orders of the shop, oldest first.

    orders : columns order (the shop's number), at (local time of the shop), shopper, lines.
    lines : columns order (position in ``orders``), product (position in ``products``), quantity, pence (unit price).
    products : columns item_id, name, price. shoppers : columns shopper, country.
    """

    orders: pd.DataFrame
    lines: pd.DataFrame
    products: pd.DataFrame
    shoppers: pd.DataFrame


def read_year(n_orders: int | None = None) -> Year:
    """Read the whole year, or its last ``n_orders`` orders with the shoppers and products in them."""
    import pandas as pd
    import pyarrow.parquet as pq

    orders = pq.read_table(DATA / "orders.parquet").to_pandas()
    lines = pq.read_table(DATA / "lines.parquet").to_pandas()
    products = pd.read_csv(DATA / "products.csv", dtype={"item_id": str, "name": str}, keep_default_na=False)
    shoppers = pd.read_csv(DATA / "shoppers.csv", dtype={"country": str}, keep_default_na=False)
    lines.insert(0, "order", np.repeat(np.arange(len(orders)), orders["lines"]))
    if n_orders is None or n_orders >= len(orders):
        return Year(orders, lines, products, shoppers)
    first = len(orders) - n_orders
    orders, lines = orders.iloc[first:].reset_index(drop=True), lines[lines["order"] >= first].reset_index(drop=True)
    kept = np.unique(lines["product"])
    lines = lines.assign(order=lines["order"] - first, product=np.searchsorted(kept, lines["product"]))
    shoppers = shoppers[shoppers["shopper"].isin(orders["shopper"])].reset_index(drop=True)
    return Year(orders, lines, products.iloc[kept].reset_index(drop=True), shoppers)


def weeks_to_move(last_day: date, today: date) -> int:
    """Return by how many whole weeks the last day moves to be as late as possible and not after yesterday."""
    return (today - timedelta(days=1) - last_day).days // 7


def moved(at: pd.Series, weeks: int) -> list[datetime]:
    """Move local times by whole weeks, so that weekday and hour of day stay, and return them as UTC."""
    import pandas as pd

    local = (at + pd.Timedelta(weeks=weeks)).dt.tz_localize(ZONE, ambiguous=False, nonexistent="shift_forward")  # type: ignore[arg-type]
    return list(local.dt.tz_convert("UTC").dt.to_pydatetime())


def kinds() -> list[tuple[str, str, str]]:
    """Return (category path, icon, words) in order; the first row whose words are in a name counts."""
    with (DATA / "kinds.csv").open(newline="") as file:
        return [(row["category"], row["icon"], row["words"]) for row in csv.DictReader(file)]
