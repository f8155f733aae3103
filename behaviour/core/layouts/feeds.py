"""Google Merchant product feeds (text or XML), GA4-like event exports, ratings in the manner of GroupLens.

Headers: support.google.com/merchants, "Product data specification"; the BigQuery export schema of Google Analytics 4
(support.google.com/analytics), flattened by UNNEST (item_id) or by number (items.0.item_id);
files.grouplens.org, README of MovieLens.
"""

import polars as pl

from behaviour.core.layouts.base import Layout, first_given

GA4_EVENTS = {
    "view_item": "view", "view_search_results": "search", "add_to_wishlist": "favourite", "add_to_cart": "cart",
    "remove_from_cart": "uncart", "purchase": "purchase", "refund": "refund", "sign_up": "signup",
}  # fmt: skip
# What Google writes where nothing was sent along.
NOT_SAID = ("(not set)", "(none)", "(other)")
# Who waits for a delivery can order nevertheless.
FOR_SALE = ("instock", "preorder", "backorder")
MICROSECONDS = r"^\d{16}$"
PRICE = r"^\s*(?:([A-Z]{3})\s*)?([\d.,]+)\s*([A-Z]{3})?\s*$"


def _merchant(frame: pl.DataFrame) -> pl.DataFrame:
    written = first_given("sale_price", "price")
    sold = pl.col("availability").str.to_lowercase().str.replace_all(r"[\s_]", "")
    return frame.with_columns(
        price=written.str.extract(PRICE, 2).fill_null(written),
        currency=pl.coalesce(written.str.extract(PRICE, 3), written.str.extract(PRICE, 1)).fill_null(""),
        category=first_given("category", "google_category"),
        # A feed says whether there is any, not how many.
        active=pl.when(sold == "")
        .then(pl.lit(""))
        .when(sold.is_in(FOR_SALE))
        .then(pl.lit("yes"))
        .otherwise(pl.lit("no")),
    )


def _ga4(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(pl.col(pl.String).replace(dict.fromkeys(NOT_SAID, "")))
    time = pl.col("timestamp")
    seconds = time.str.slice(0, 10) + "." + time.str.slice(10)
    return frame.with_columns(
        event=pl.col("event").replace(GA4_EVENTS),
        timestamp=pl.when(time.str.contains(MICROSECONDS)).then(seconds).otherwise(time),
    )


def _ratings(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(event=pl.lit("rating"))


MERCHANT = Layout(
    name="google_merchant",
    kind="products",
    signature=("id", "title", "link", "image_link", "price", "availability"),
    fields={
        "item_id": ("id",),
        "name": ("title",),
        "category": ("product_type",),
        "price": ("price",),
        "url": ("link",),
        "image": ("image_link",),
        "attributes": ("brand",),
    },
    helpers={
        "sale_price": ("sale_price",),
        "availability": ("availability",),
        "google_category": ("google_product_category",),
    },
    finish=_merchant,
)
GA4 = Layout(
    name="ga4_events",
    kind="events",
    signature=("event_name", "event_timestamp", "user_pseudo_id"),
    fields={
        "user_id": ("user_id",),
        "visitor_id": ("user_pseudo_id",),
        "item_id": ("items.item_id", "item_id", "items.0.item_id"),
        "name": ("items.item_name", "item_name", "items.0.item_name"),
        "event": ("event_name",),
        "timestamp": ("event_timestamp",),
        "order_id": ("ecommerce.transaction_id", "transaction_id", "event_params.transaction_id"),
        "quantity": ("items.quantity", "quantity", "items.0.quantity"),
        "price": ("items.price", "price", "items.0.price"),
        "currency": ("currency", "event_params.currency"),
        "country": ("geo.country", "country"),
    },
    finish=_ga4,
)
GROUPLENS = Layout(
    name="grouplens_ratings",
    kind="events",
    signature=("userId", "movieId", "rating"),
    fields={"user_id": ("userId",), "item_id": ("movieId",), "rating": ("rating",), "timestamp": ("timestamp",)},
    finish=_ratings,
)
RATINGS = Layout(
    name="ratings",
    kind="events",
    signature=("user_id", "item_id", "rating", "timestamp"),
    fields={"user_id": ("user_id",), "item_id": ("item_id",), "rating": ("rating",), "timestamp": ("timestamp",)},
    finish=_ratings,
)
LAYOUTS = (MERCHANT, GA4, GROUPLENS)
