"""Exports of WooCommerce: orders as the two most used extensions write them, and customers from its own analytics.

Headers: "Advanced Order Export For WooCommerce" (wordpress.org) with its default columns; "Customer / Order / Coupon
Export" (woocommerce.com, one row per item); WooCommerce > Analytics > Customers > Download.
"""

import polars as pl

from behaviour.core.layouts.base import Layout, first_given, split_name, state_of

STATES = {
    "cancelled": "cancelled", "refunded": "refunded", "failed": "unpaid", "pending": "unpaid",
    "pendingpayment": "unpaid", "checkoutdraft": "unpaid",
}  # fmt: skip


def _orders(frame: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("status").str.replace(r"^wc-", "")
    return frame.with_columns(status=status).with_columns(
        item_id=first_given("item_id", "name"), order_state=state_of("status", STATES)
    )


def _items(frame: pl.DataFrame) -> pl.DataFrame:
    """Here the price is that of all pieces."""
    pieces, total = (pl.col(name).cast(pl.Float64, strict=False) for name in ("quantity", "price"))
    each = pl.when(pieces > 0).then((total / pieces).round(4).cast(pl.String)).otherwise(pl.col("price"))
    return _orders(frame.with_columns(price=each.fill_null(pl.col("price"))))


def _customers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(split_name("full_name"))


ORDERS = Layout(
    name="woocommerce_orders",
    kind="orders",
    signature=("Order Number", "Order Status", "Order Date", "Email (Billing)", "Item Name", "Item Cost"),
    fields={
        "order_id": ("Order Number",),
        "timestamp": ("Order Date",),
        "user_id": ("Customer User ID", "User ID"),
        "item_id": ("SKU",),
        "name": ("Item Name",),
        "quantity": ("Quantity", "Quantity (- Refund)"),
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
    signature=("order_id", "date", "status", "billing_email", "item_sku", "item_quantity", "item_total"),
    fields={
        "order_id": ("order_number_formatted", "order_number", "order_id"),
        "timestamp": ("date",),
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
    helpers={"status": ("status",)},
    finish=_items,
)
CUSTOMERS = Layout(
    name="woocommerce_customers",
    kind="shoppers",
    signature=("Name", "Username", "Last Active", "Sign Up", "Email", "Orders", "Total Spend"),
    fields={"email": ("Email",), "country": ("Country / Region", "Country")},
    helpers={"full_name": ("Name",)},
    finish=_customers,
)
LAYOUTS = (ORDERS, ITEMS, CUSTOMERS)
