"""Exports of Magento 2 and Adobe Commerce: the order grid (a row for each order), and order items by column name.

Headers: experienceleague.adobe.com, "Orders workspace" (grid columns; the address of the shopper is one that has to be
switched on); table ``sales_order_item`` joined to its order.
"""

import polars as pl

from behaviour.core.layouts.base import Layout, less, split_name, state_of, state_of_line

STATES = {
    "canceled": "cancelled", "cancelled": "cancelled", "closed": "refunded", "pending": "unpaid",
    "pendingpayment": "unpaid", "paymentreview": "unpaid", "fraud": "cancelled", "suspectedfraud": "cancelled",
}  # fmt: skip


def _orders(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(*split_name("full_name"), order_state=state_of("status", STATES))


def _items(frame: pl.DataFrame) -> pl.DataFrame:
    """Take off what was given back or cancelled of a line, and leave out the options of what was ordered whole."""
    frame = _orders(frame.with_columns(quantity=less("quantity", "back", "cancelled")))
    is_part = ~pl.col("parent").is_in(["", "0", "NULL"])
    return frame.with_columns(
        order_state=pl.when(is_part).then(pl.lit("part")).otherwise(state_of_line(pl.col("order_state")))
    )


GRID = Layout(
    name="magento_orders",
    kind="orders",
    signature=("ID", "Purchase Date", "Bill-to Name", "Grand Total (Purchased)", "Status", "Customer Email"),
    fields={
        "order_id": ("ID",),
        "timestamp": ("Purchase Date",),
        "price": ("Grand Total (Purchased)",),
        "email": ("Customer Email",),
    },
    helpers={"status": ("Status",), "full_name": ("Customer Name", "Bill-to Name")},
    finish=_orders,
)
ITEMS = Layout(
    name="magento_items",
    kind="orders",
    signature=("increment_id", "created_at", "customer_email", "sku", "qty_ordered", "price"),
    fields={
        "order_id": ("increment_id",),
        "timestamp": ("created_at",),
        "user_id": ("customer_id",),
        "item_id": ("sku",),
        "name": ("name",),
        "quantity": ("qty_ordered",),
        "price": ("price",),
        "currency": ("order_currency_code", "base_currency_code"),
        "country": ("country_id",),
        "email": ("customer_email",),
        "first_name": ("customer_firstname",),
        "last_name": ("customer_lastname",),
    },
    helpers={
        "status": ("status", "state"),
        "full_name": ("customer_name",),
        "back": ("qty_refunded",),
        "cancelled": ("qty_canceled",),
        "parent": ("parent_item_id",),
    },
    finish=_items,
)
LAYOUTS = (GRID, ITEMS)
