"""What cleaning put right, shown by one cell for each fix."""

from datetime import datetime

import polars as pl

from behaviour.core.columns import Match
from behaviour.core.parsing import Block

# Fix -> the cells that show it, each with the column that holds what became of it.
SHOWN = {
    "number_tidied": {"price": "each", "quantity": "quantity", "rating": "stars"},
    "date_format": {"timestamp": "at"},
    "became_refund": {"quantity": "quantity"},
    "id_decimal": {"order_id": "order_id"},
    "filled_price": {"price": "each"},
    "filled_quantity": {"quantity": "quantity"},
    "filled_country": {"country": "country"},
}  # fmt: skip


def examples_of(frame: pl.DataFrame, block: Block, match: Match) -> dict[str, tuple[int, str, str]]:
    """Return for each fix the first cell in which it was needed, and what became of it."""
    examples = {}
    for code, fields in SHOWN.items():
        if code not in frame.columns or not frame[code].any():
            continue
        row = frame.row(int(frame[code].arg_max() or 0), named=True)
        for name, becomes in fields.items():
            before = block.frame[f"c{match.columns[name]}"][row["row"]] if name in match.columns else ""
            after = _shown(row[becomes])
            if after and before != after and name in match.columns and (before or code.startswith("filled")):
                examples[code] = (block.frame["line"][row["row"]], before[:60], after[:60])
                break
    return examples


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
