"""Returns against the orders that they take back, over a whole file and the orders of earlier ones.

An import nets its own returns when all its rows are there and before anybody sees them: of what was bought, returns
from before take their share first. Before that it nets those of earlier files that waited for its orders. What the file
said is kept beside what counts, so that netting again gives the same after a kill, and an undo can give back what was
cut on account of rows that are gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from behaviour import bulk
from behaviour.core import refunds
from behaviour.core.columns import ONLINE_RETAIL
from behaviour.core.rules import is_on
from behaviour.models import Event, Upload

# Returns of one step, and of one transaction.
STEP = 4_000
KEY = ("shopper", "order", "product")
# The lines of all orders that some returns name. Each shopper is read once, by the index of shoppers (on SQLite the
# sign before the kind keeps it from reading all orders ever made), and only then compared with what is wanted.
OF_SHOPPERS = {
    "sqlite": "FROM (SELECT DISTINCT shopper_id FROM wanted) AS s CROSS JOIN behaviour_event AS e"
    " WHERE e.shopper_id = s.shopper_id AND +e.kind = '{kind}'",
    "postgresql": "FROM behaviour_event AS e"
    " WHERE e.shopper_id = ANY(ARRAY(SELECT DISTINCT shopper_id FROM wanted)) AND e.kind = '{kind}'",
}
LINES = """
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT shopper_id, order_ref, COALESCE(product_id, 0) AS product FROM behaviour_event
        WHERE id IN (SELECT CAST(value AS BIGINT) FROM {{many}} AS m) AND order_ref <> ''
    ), lines AS MATERIALIZED (
        SELECT e.id, e.shopper_id, e.order_ref, COALESCE(e.product_id, 0) AS product, e.upload_id, e.at, e.dedupe_key,
        e.quantity, e.amount, e.quantity_said, e.amount_said {source} AND (
            e.upload_id IS NULL OR e.upload_id = %s OR e.upload_id NOT IN (SELECT id FROM behaviour_upload WHERE hidden)
        )
    )
    SELECT {what} FROM lines WHERE (shopper_id, order_ref, product) IN (SELECT * FROM wanted) {end}
"""
BOUGHT = {
    "kind": "purchase",
    "what": "shopper_id, order_ref, product, SUM(quantity),"
    " CASE WHEN COUNT(amount) = COUNT(*) THEN CAST(ROUND(SUM(amount) * 100) AS BIGINT) END,"
    " MAX(CASE WHEN upload_id = {upload} THEN 1 ELSE 0 END)",
    "end": "GROUP BY 1, 2, 3",
}
BACK = {
    "kind": "refund",
    "what": "id, shopper_id, order_ref, product, upload_id, quantity, CAST(ROUND(amount * 100) AS BIGINT),"
    " quantity_said, CAST(ROUND(amount_said * 100) AS BIGINT)",
    "end": "ORDER BY COALESCE(upload_id, 0), at, dedupe_key",
}
BOUGHT_SCHEMA = {
    "shopper": pl.Int64, "order": pl.String, "product": pl.Int64, "n_bought": pl.Int64, "cents_bought": pl.Int64,
    "newly_bought": pl.Int64,
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
    first, last = between
    for ids in _steps(Event.everything.filter(upload=upload, at__lte=last), first):
        beat()
        netted = _net(ids, upload=upload.pk, open_ones=pl.col("upload") == upload.pk)
        if capped:
            _write(netted)
        found += _count(netted, ids)
    if not capped:
        found.pop("refund_netted", None)
    return found


def net_waiting(upload: Upload, *, since: datetime, beat: Callable[[], None]) -> list[pl.DataFrame]:
    """Net the returns of earlier files whose orders, the first at ``since``, this upload brings or adds to.

    Gives the rows that change, for ``write``. What came back by the API stays as it was told, and so does what files
    say whose rule was off. Reads the returns from then on, by their index; a file that follows the last one in time
    meets few of them.
    """
    # A file that brought nothing new brought no order.
    others = _netted_uploads(upload) if Upload.objects.filter(pk=upload.pk, loaded__gt=0).exists() else []
    changed = []
    waiting = Event.everything.filter(upload__in=others).exclude(order_ref="")
    for ids in _steps(waiting, since) if others else ():
        beat()
        # Its own ones come after them.
        netted = _net(ids, upload=upload.pk, open_ones=pl.col("upload").is_in(others), without=upload.pk)
        changed.append(_changed(netted.filter(pl.col("newly_bought") == 1)))
    return changed


def _netted_uploads(upload: Upload) -> list[int]:
    """Return the other uploads whose returns are cut to what was bought."""
    done = Upload.objects.filter(state=Upload.State.DONE).exclude(pk=upload.pk).exclude(layout=ONLINE_RETAIL)
    chosen = done.values_list("pk", "cleaning")
    return [pk for pk, cleaning in chosen if is_on("refund_netted", cleaning.get("rules", {}))]


def net_again(beat: Callable[[], None]) -> None:
    """Net the returns that were cut once more, after rows were taken out; who has no order any more is as written."""
    last = 0
    while ids := list(_cut().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:STEP]):
        beat()
        _write(_net(ids, upload=0, open_ones=pl.col("n_said").is_not_null()))
        last = ids[-1]


def _cut() -> QuerySet[Event]:
    return Event.everything.filter(quantity_said__isnull=False)


def _steps(returns: QuerySet[Event], first: datetime) -> Iterator[list[int]]:
    """Yield the ids of returns from a time on in steps, led by the index of kinds and times."""
    rows = returns.filter(kind=Event.Kind.REFUND).order_by("at", "pk")
    at, pk = first, 0
    while step := list(rows.filter(Q(at__gt=at) | Q(pk__gt=pk), at__gte=at).values_list("at", "pk")[:STEP]):
        yield [pk for _at, pk in step]
        at, pk = step[-1]


def _net(ids: list[int], *, upload: int, open_ones: pl.Expr, without: int = 0) -> pl.DataFrame:
    """Return what is left of some returns beside all others of their orders; those of one upload may be left out."""
    wanted = pl.Series(ids, dtype=pl.Int64)
    bought = pl.DataFrame(_lines(wanted, upload, **BOUGHT), schema=BOUGHT_SCHEMA, orient="row")
    back = pl.DataFrame(_lines(wanted, upload, **BACK), schema=BACK_SCHEMA, orient="row")
    back = back.filter(pl.col("upload").ne_missing(without))
    # Whatever is settled comes first; an order may have returns in several steps, which are all counted in each.
    back = back.with_columns(open=open_ones.fill_null(value=False)).sort("open", maintain_order=True)
    written = pl.col("open") & pl.col("n_said").is_not_null()
    back = back.with_columns(
        quantity=pl.when(written).then("n_said").otherwise("n_now"),
        cents=pl.when(written).then("cents_said").otherwise("cents_now"),
    ).join(bought, on=KEY, how="left", maintain_order="left")
    return refunds.cut(back, KEY).filter(pl.col("id").is_in(ids))


def _count(netted: pl.DataFrame, ids: list[int]) -> Counter[str]:
    found = refunds.count(netted)
    # Those that name no order were not asked for.
    found["refund_without_order"] += len(ids) - len(netted)
    return +found


def _lines(wanted: pl.Series, upload: int, *, kind: str, what: str, end: str) -> list[tuple[Any, ...]]:
    source = OF_SHOPPERS[connection.vendor].format(kind=kind)
    return bulk.fetch(LINES.format(source=source, what=what.format(upload=upload), end=end), wanted, upload)


def _write(netted: pl.DataFrame) -> None:
    write([_changed(netted)])


def write(changed: Sequence[pl.DataFrame]) -> None:
    """Write what counts of returns that change."""
    with transaction.atomic():
        for rows in changed:
            bulk.change(CHANGE, rows)


def _changed(netted: pl.DataFrame) -> pl.DataFrame:
    """Return what counts, and what was said where that differs, of rows that are not as they should be."""
    is_cut = pl.col("n_kept").ne_missing(pl.col("quantity")) | pl.col("cents_kept").ne_missing(pl.col("cents"))
    return netted.filter(
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
