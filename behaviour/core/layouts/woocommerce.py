"""Exports of WooCommerce: orders as the three most used extensions write them, and customers from its own analytics.

Headers: "Advanced Order Export For WooCommerce" (wordpress.org) with its default columns of several versions;
"Customer / Order / Coupon Export" (woocommerce.com, one row per item); "Order Export & Order Import for WooCommerce"
(WebToffee, wordpress.org: a row for each order, whose items ``core.unfolding`` takes apart, or "separate rows");
WooCommerce > Analytics > Customers > Download, from the page or by mail.
"""

from dataclasses import replace

import polars as pl

from behaviour.core.layouts.base import Layout, first_given, less, split_name, state_of, state_of_line

STATES = {
    "cancelled": "cancelled", "refunded": "refunded", "failed": "unpaid", "pending": "unpaid",
    "pendingpayment": "unpaid", "checkoutdraft": "unpaid",
}  # fmt: skip
# The column that ``core.unfolding`` makes: name:Mug|product_id:13|sku:A12|quantity:1|total:8.00|sub_total:8.00|…
LINE_ITEM = "line_item"


def _orders(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the state of each line; of a line that came back whole nothing was sold."""
    status = pl.col("status").str.replace(r"^wc-", "")
    state = state_of("status", STATES)
    return frame.with_columns(status=status).with_columns(
        # Guests all have the number 0.
        user_id=pl.col("user_id").replace("0", ""),
        item_id=first_given("item_id", "name"),
        order_state=state_of_line(state),
    )


def _items(frame: pl.DataFrame) -> pl.DataFrame:
    """Here the price is that of all pieces, and what came back stands beside it."""
    pieces, total = (pl.col(name).cast(pl.Float64, strict=False) for name in ("quantity", "price"))
    each = pl.when(pieces > 0).then((total / pieces).round(4).cast(pl.String)).otherwise(pl.col("price"))
    return _orders(frame.with_columns(price=each.fill_null(pl.col("price")), quantity=less("quantity", "back")))


def _wide(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the cell of an item apart; names may hold any sign, the keys behind them come in this order."""
    item = pl.col("line_item")
    said = {
        "name": item.str.extract(r"(?s)^\s*name:(.*?)(?:\|product_id:|\|sku:|\|quantity:|$)"),
        "item_id": item.str.extract(r"\|sku:([^|]*)"),
        "quantity": item.str.extract(r"\|quantity:([^|]*)"),
        "price": item.str.extract(r"\|total:([^|]*)"),
        "returned": item.str.extract(r"\|refunded:([^|]*)"),
    }
    frame = frame.with_columns(value.fill_null("").str.strip_chars().alias(name) for name, value in said.items())
    returned, total = (pl.col(name).cast(pl.Float64, strict=False) for name in ("returned", "price"))
    # Of a line that came back in part the export tells the money, not the pieces.
    whole = ((total > 0) & (returned >= total)).fill_null(value=False)
    return _items(frame.with_columns(back=pl.when(whole).then("quantity").otherwise(pl.lit(""))))


def _customers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(split_name("full_name"))


ORDERS = Layout(
    name="woocommerce_orders",
    kind="orders",
    signature=("Order Number", "Order Status", "Order Date", "Email (Billing)", "Item Cost"),
    fields={
        "order_id": ("Order Number",),
        "timestamp": ("Order Date",),
        "user_id": ("Customer User ID", "User ID"),
        "item_id": ("SKU",),
        "name": ("Item Name", "Name", "Product Name"),
        # What came back is taken off where the export does so.
        "quantity": ("Quantity (- Refund)", "Quantity"),
        "price": ("Item Cost",),
        "currency": ("Order Currency", "Currency"),
        "country": ("Country Code (Shipping)", "Country Code (Billing)"),
        "email": ("Email (Billing)",),
        "first_name": ("First Name (Billing)",),
        "last_name": ("Last Name (Billing)",),
        "phone": ("Phone (Billing)",),
    },
    helpers={"status": ("Order Status",)},
    carried=(
        "timestamp", "user_id", "currency", "country", "email", "first_name", "last_name", "phone", "status",
    ),
    group="order_id",
    finish=_orders,
)  # fmt: skip
ITEMS = Layout(
    name="woocommerce_items",
    kind="orders",
    signature=("order_id", "status", "billing_email", "item_sku", "item_quantity", "item_total"),
    fields={
        "order_id": ("order_number_formatted", "order_number", "order_id"),
        "timestamp": ("date", "order_date"),
        "user_id": ("customer_id",),
        "item_id": ("item_sku",),
        "name": ("item_name",),
        "quantity": ("item_quantity",),
        "price": ("item_total",),
        "currency": ("order_currency", "currency"),
        "country": ("shipping_country", "billing_country"),
        "email": ("billing_email",),
        "first_name": ("billing_first_name",),
        "last_name": ("billing_last_name",),
        "phone": ("billing_phone",),
    },
    helpers={"status": ("status",), "back": ("item_refunded_qty",)},
    finish=_items,
)
WIDE = replace(
    ITEMS,
    name="woocommerce_wide",
    signature=("order_id", "order_date", "status", "billing_email", LINE_ITEM),
    fields={**ITEMS.fields, "item_id": (LINE_ITEM,)},
    helpers={"status": ("status",), "line_item": (LINE_ITEM,)},
    finish=_wide,
)
CUSTOMERS = Layout(
    name="woocommerce_customers",
    kind="shoppers",
    signature=("Name", "Last Active", "Email", "Orders", "Total Spend", "AOV"),
    fields={"email": ("Email",), "country": ("Country / Region", "Country")},
    helpers={"full_name": ("Name",)},
    finish=_customers,
)
LAYOUTS = (ORDERS, WIDE, ITEMS, CUSTOMERS)
