"""Returns against the orders that they take back, over a whole file and the orders of earlier ones.

An import nets its own returns when all its rows are there and before anybody sees them: of what was bought, returns
from before take their share first. What the file said is kept beside what counts, so that netting again gives the same
after a kill, and an undo can give back what was cut on account of rows that are gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl
from django.db import transaction
from django.db.models import Q, QuerySet

from behaviour import bulk
from behaviour.core import refunds
from behaviour.models import Event, Upload

# Returns of one step, and of one transaction.
STEP = 4_000
KEY = ("shopper", "order", "product")
# The lines of all orders that some returns name. Each shopper is read once, by the index of shoppers: kinds are
# compared as an expression, or SQLite would read all orders ever made for each of them.
LINES = """
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT shopper_id, order_ref, COALESCE(product_id, 0) AS product FROM behaviour_event
        WHERE id IN (SELECT CAST(value AS BIGINT) FROM {{many}} AS m) AND order_ref <> '')
    SELECT {what}
    FROM (SELECT DISTINCT shopper_id FROM wanted) AS s CROSS JOIN behaviour_event AS e
    WHERE e.shopper_id = s.shopper_id AND e.kind || '' = '{kind}'
    AND (e.shopper_id, e.order_ref, COALESCE(e.product_id, 0)) IN (SELECT shopper_id, order_ref, product FROM wanted)
    AND (e.upload_id IS NULL OR e.upload_id = %s OR e.upload_id NOT IN (SELECT id FROM behaviour_upload WHERE hidden))
    {end}
"""
BOUGHT = LINES.format(
    what="e.shopper_id, e.order_ref, COALESCE(e.product_id, 0), SUM(e.quantity),"
    " CASE WHEN COUNT(e.amount) = COUNT(*) THEN CAST(ROUND(SUM(e.amount) * 100) AS BIGINT) END",
    kind="purchase",
    end="GROUP BY 1, 2, 3",
)
BACK = LINES.format(
    what="e.id, e.shopper_id, e.order_ref, COALESCE(e.product_id, 0), e.upload_id, e.quantity,"
    " CAST(ROUND(e.amount * 100) AS BIGINT), e.quantity_said, CAST(ROUND(e.amount_said * 100) AS BIGINT)",
    kind="refund",
    end="ORDER BY COALESCE(e.upload_id, 0), e.at, e.dedupe_key",
)
BOUGHT_SCHEMA = {
    "shopper": pl.Int64, "order": pl.String, "product": pl.Int64, "n_bought": pl.Int64, "cents_bought": pl.Int64,
}  # fmt: skip
BACK_SCHEMA = {
    "id": pl.Int64, "shopper": pl.Int64, "order": pl.String, "product": pl.Int64, "upload": pl.Int64,
    "n_now": pl.Int64, "cents_now": pl.Int64, "n_said": pl.Int64, "cents_said": pl.Int64,
}  # fmt: skip
CHANGE = {
    "sqlite": "UPDATE behaviour_event SET quantity = %s, amount = %s, quantity_said = %s, amount_said = %s"
    " WHERE id = %s",
    "postgresql": "UPDATE behaviour_event AS e SET quantity = x.quantity, amount = x.amount,"
    " quantity_said = x.quantity_said, amount_said = x.amount_said FROM json_to_recordset(%s::json)"
    " AS x(quantity integer, amount numeric, quantity_said integer, amount_said numeric, id bigint) WHERE e.id = x.id",
}


def net_upload(
    upload: Upload, *, between: tuple[datetime, datetime], capped: bool, beat: Callable[[], None]
) -> Counter[str]:
    """Net the returns that an upload brought, between the first and the last time of one, and count what was found.

    ``capped`` False only counts. ``beat`` is called before each step. The rows of other uploads stay as they are.
    """
    found: Counter[str] = Counter()
    for ids in _returns_of(upload, *between):
        beat()
        found += _net(ids, upload=upload.pk, capped=capped)
    if not capped:
        found.pop("refund_netted", None)
    return found


def net_again(beat: Callable[[], None]) -> None:
    """Net the returns that were cut once more, after rows were taken out; who has no order any more is as written."""
    last = 0
    while ids := list(_cut().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:STEP]):
        beat()
        _net(ids, upload=0, capped=True)
        last = ids[-1]


def _cut() -> QuerySet[Event]:
    return Event.everything.filter(quantity_said__isnull=False)


def _returns_of(upload: Upload, first: datetime, last: datetime) -> Iterator[list[int]]:
    """Yield the ids of an upload's returns in steps, led by the index of kinds and times."""
    rows = Event.everything.filter(kind=Event.Kind.REFUND, upload=upload, at__lte=last).order_by("at", "pk")
    at, pk = first, 0
    while step := list(rows.filter(Q(at__gt=at) | Q(pk__gt=pk), at__gte=at).values_list("at", "pk")[:STEP]):
        yield [pk for _at, pk in step]
        at, pk = step[-1]


def _net(ids: list[int], *, upload: int, capped: bool) -> Counter[str]:
    """Net the orders of some returns; change and count only these ones."""
    wanted = pl.Series(ids, dtype=pl.Int64)
    bought = pl.DataFrame(bulk.fetch(BOUGHT, wanted, upload), schema=BOUGHT_SCHEMA, orient="row")
    back = pl.DataFrame(bulk.fetch(BACK, wanted, upload), schema=BACK_SCHEMA, orient="row")
    was_cut = pl.col("n_said").is_not_null()
    # Whatever is settled comes first; an order may have returns in several steps, which are all counted in each.
    open_ones = pl.col("upload") == upload if upload else was_cut
    back = back.with_columns(open=open_ones.fill_null(value=False)).sort("open", maintain_order=True)
    written = pl.col("open") & was_cut
    back = back.with_columns(
        quantity=pl.when(written).then("n_said").otherwise("n_now"),
        cents=pl.when(written).then("cents_said").otherwise("cents_now"),
    ).join(bought, on=KEY, how="left", maintain_order="left")
    netted = refunds.cut(back, KEY).filter(pl.col("id").is_in(ids))
    if capped:
        _write(netted)
    found = refunds.count(netted)
    # Those that name no order were not asked for.
    found["refund_without_order"] += len(ids) - len(netted)
    return +found


def _write(netted: pl.DataFrame) -> None:
    """Write what counts, and what was said where that differs; rows that are as they should be are left alone."""
    is_cut = pl.col("n_kept").ne_missing(pl.col("quantity")) | pl.col("cents_kept").ne_missing(pl.col("cents"))
    rows = netted.filter(
        pl.col("n_kept").ne_missing(pl.col("n_now"))
        | pl.col("cents_kept").ne_missing(pl.col("cents_now"))
        | (is_cut != pl.col("n_said").is_not_null())
    ).select(
        quantity="n_kept",
        amount=pl.col("cents_kept") / 100,
        quantity_said=pl.when(is_cut).then("quantity"),
        amount_said=pl.when(is_cut).then(pl.col("cents") / 100),
        id="id",
    )
    with transaction.atomic():
        bulk.change(CHANGE, rows)
