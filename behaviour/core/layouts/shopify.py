"""Exports of Shopify: orders (a row for each line item), customers, products (a row for each variant or picture).

Headers: help.shopify.com, "Exporting orders", "Customer CSV file", "Using CSV files to import and export products".
"""

import polars as pl

from behaviour.core.layouts.base import Layout, first_given, split_name, state_of

STATES = {"refunded": "refunded", "voided": "unpaid", "pending": "unpaid", "expired": "unpaid", "authorized": "unpaid"}


def _orders(frame: pl.DataFrame) -> pl.DataFrame:
    state = (
        pl.when(pl.col("payment_method").str.to_lowercase().str.contains("bogus")).then(pl.lit("test"))
        .when(pl.col("cancelled_at") != "").then(pl.lit("cancelled"))
        .otherwise(state_of("financial_status", STATES))
    )  # fmt: skip
    return frame.with_columns(
        *split_name("full_name"),
        # Line items without a stock keeping unit are known by their name.
        item_id=first_given("item_id", "name"),
        country=first_given("country", "billing_country"),
        phone=first_given("phone", "billing_phone", "shipping_phone"),
        order_state=state,
    )


def _customers(frame: pl.DataFrame) -> pl.DataFrame:
    # Shopify writes ids with an apostrophe before them, so that spreadsheets keep them whole.
    frame = frame.with_columns(phone=first_given("phone", "address_phone"))
    return frame.with_columns(pl.col("user_id", "phone").str.strip_prefix("'"))


def _products(frame: pl.DataFrame) -> pl.DataFrame:
    given = [pl.when(pl.col(f"option{n}") != "").then(pl.col(f"option{n}")) for n in (1, 2, 3)]
    options = pl.concat_str(given, separator=" / ", ignore_nulls=True)
    variant = pl.when(options.is_in(["", "Default Title"])).then(pl.lit("")).otherwise(pl.lit(" – ") + options)
    published = pl.col("published").str.to_lowercase() == "false"
    shown = pl.col("status").str.to_lowercase().is_in(["draft", "archived"]) | published
    return frame.with_columns(
        item_id=first_given("item_id", "handle"),
        name=pl.col("name") + variant,
        category=first_given("category", "product_type"),
        image=first_given("variant_image", "image"),
        active=pl.when(shown).then(pl.lit("no")).otherwise(pl.lit("yes")),
        # "Uncategorized" says nothing.
    ).with_columns(category=pl.col("category").replace("Uncategorized", ""))


ORDERS = Layout(
    name="shopify_orders",
    kind="orders",
    signature=(
        "Name", "Email", "Financial Status", "Created at", "Lineitem quantity", "Lineitem name", "Lineitem price",
    ),
    fields={
        "order_id": ("Name",),
        "timestamp": ("Created at",),
        "item_id": ("Lineitem sku",),
        "name": ("Lineitem name",),
        "quantity": ("Lineitem quantity",),
        "price": ("Lineitem price",),
        "currency": ("Currency",),
        "country": ("Shipping Country",),
        "email": ("Email",),
        "phone": ("Phone",),
        "consent": ("Accepts Marketing",),
    },
    helpers={
        "financial_status": ("Financial Status",),
        "cancelled_at": ("Cancelled at",),
        "payment_method": ("Payment Method",),
        "billing_country": ("Billing Country",),
        "billing_phone": ("Billing Phone",),
        "shipping_phone": ("Shipping Phone",),
        "full_name": ("Billing Name", "Shipping Name"),
    },
    carried=(
        "timestamp", "currency", "country", "email", "phone", "consent", "financial_status", "cancelled_at",
        "payment_method", "billing_country", "billing_phone", "shipping_phone", "full_name",
    ),
    group="order_id",
    finish=_orders,
)  # fmt: skip
CUSTOMERS = Layout(
    name="shopify_customers",
    kind="shoppers",
    signature=("First Name", "Last Name", "Email", "Total Spent", "Total Orders"),
    fields={
        "user_id": ("Customer ID",),
        "email": ("Email",),
        "first_name": ("First Name",),
        "last_name": ("Last Name",),
        "phone": ("Phone",),
        "country": ("Default Address Country Code", "Country Code", "Country"),
        "consent": ("Accepts Email Marketing", "Accepts Marketing"),
    },
    helpers={"address_phone": ("Default Address Phone",)},
    finish=_customers,
)
PRODUCTS = Layout(
    name="shopify_products",
    kind="products",
    signature=("Handle", "Title", "Variant SKU", "Variant Price", "Image Src"),
    fields={
        "item_id": ("Variant SKU",),
        "name": ("Title",),
        "category": ("Product Category",),
        "price": ("Variant Price",),
        "stock": ("Variant Inventory Qty",),
        "image": ("Image Src",),
        "attributes": ("Tags",),
    },
    helpers={
        "handle": ("Handle",),
        "product_type": ("Type",),
        "published": ("Published",),
        "status": ("Status",),
        "option1": ("Option1 Value",),
        "option2": ("Option2 Value",),
        "option3": ("Option3 Value",),
        "variant_image": ("Variant Image",),
    },
    # A row that only brings another picture says again what the variant above it said.
    carried=(
        "item_id", "name", "category", "price", "stock", "image", "attributes", "product_type", "published", "status",
        "option1", "option2", "option3",
    ),
    group="handle",
    finish=_products,
)  # fmt: skip
LAYOUTS = (ORDERS, CUSTOMERS, PRODUCTS)
