"""Every recognised export, from the file to the tables: hand-made samples under tests/data/formats."""

import csv
import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from behaviour import tables, uploads
from behaviour.core.layouts import BY_NAME
from behaviour.importing import import_upload
from behaviour.models import Consent, Event, Identity, Product, Shop, Shopper, Suppression, Upload
from behaviour.rejects import path_of
from mailai.crypto import blind_index

FORMATS = Path(__file__).parent.parent / "data" / "formats"
pytestmark = pytest.mark.django_db
# file -> (layout, kind, rows read, loaded, rejected)
SAMPLES = {
    "shopify_orders.csv": ("shopify_orders", "orders", 6, 3, 3),
    "shopify_customers.csv": ("shopify_customers", "shoppers", 2, 2, 0),
    "shopify_products.csv": ("shopify_products", "products", 5, 4, 0),
    "woocommerce_orders.csv": ("woocommerce_orders", "orders", 3, 2, 1),
    "woocommerce_items.csv": ("woocommerce_items", "orders", 3, 2, 1),
    "woocommerce_wide.csv": ("woocommerce_wide", "orders", 5, 3, 2),
    "woocommerce_rows.csv": ("woocommerce_items", "orders", 2, 1, 1),
    "woocommerce_customers.csv": ("woocommerce_customers", "shoppers", 2, 2, 0),
    "magento_orders.csv": ("magento_orders", "orders", 2, 1, 1),
    "magento_items.csv": ("magento_items", "orders", 2, 2, 0),
    "google_merchant.tsv": ("google_merchant", "products", 2, 2, 0),
    "google_merchant.xml": ("google_merchant", "products", 2, 2, 0),
    "ga4_events.csv": ("ga4_events", "events", 4, 3, 1),
    "grouplens_ratings.csv": ("grouplens_ratings", "events", 3, 3, 0),
    "klaviyo_profiles.csv": ("klaviyo_profiles", "shoppers", 3, 3, 0),
    "mailchimp_subscribed.csv": ("mailchimp_audience", "shoppers", 1, 1, 0),
    "mailchimp_unsubscribed.csv": ("mailchimp_audience", "shoppers", 1, 1, 0),
    "mailchimp_cleaned.csv": ("mailchimp_audience", "shoppers", 1, 1, 0),
    "nonsubscribed_members.csv": ("mailchimp_nonsubscribed", "shoppers", 1, 1, 0),
    "mailai_events.csv": ("generic", "events", 2, 2, 0),
    "chinese_events.csv": ("generic", "events", 2, 2, 0),
    "online_retail.csv": ("online_retail", "orders", 3, 2, 1),
}


def load(name: str, data: bytes | None = None) -> Upload:
    content = data or (FORMATS / name).read_bytes()
    return import_upload(uploads.queue(uploads.receive_upload(io.BytesIO(content), name)).pk)


def shopper_of(address: str) -> Shopper:
    return Shopper.objects.get(identity__email_index=blind_index(address))


def rearranged(name: str) -> bytes:
    """The same rows with the columns from right to left, a column more, and capitals in the header."""
    sign = "\t" if name.endswith("tsv") else ","
    rows = list(csv.reader((FORMATS / name).open(newline=""), delimiter=sign))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sign)
    for at, row in enumerate(rows):
        cells = ["Warehouse" if at == 0 else "x", *reversed(row)]
        writer.writerow([cell.upper() for cell in cells] if at == 0 else cells)
    return out.getvalue().encode()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_recognised_and_loaded_and_again_adds_nothing(name: str) -> None:
    layout, kind, read, loaded, rejected = SAMPLES[name]
    upload = load(name)
    assert (upload.layout, upload.kind, upload.state) == (layout, kind, "done"), upload.error
    assert (upload.rows_read, upload.loaded, upload.rejected) == (read, loaded, rejected), upload.findings
    again = load(name)
    assert (again.loaded, again.rejected) == (0, rejected)


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.endswith("xml")])
def test_the_order_of_columns_and_more_of_them_change_nothing(name: str) -> None:
    layout, kind, read, loaded, rejected = SAMPLES[name]
    upload = load(name, rearranged(name))
    assert (upload.layout, upload.kind) == (layout, kind)
    assert (upload.rows_read, upload.loaded, upload.rejected) == (read, loaded, rejected), upload.findings


def test_lines_below_the_first_of_a_shopify_order_are_the_same_shoppers() -> None:
    load("shopify_orders.csv")
    elena = shopper_of("elena@mail.example")
    lines = Event.objects.filter(shopper=elena).order_by("product__sku")
    assert [(line.product.sku, line.quantity, str(line.amount)) for line in lines if line.product] == [
        ("SS-M", 1, "36.00"), ("TB-1", 2, "25.80"),
    ]  # fmt: skip
    assert {line.order_ref for line in lines} == {"#1001"}
    assert (elena.marketing, elena.country) == ("given", "DE")
    assert not elena.external_id.count("@")
    identity = Identity.objects.get(shopper=elena)
    assert (identity.first_name, identity.last_name) == ("Elena", "Novak")
    # Who did not tick the box said nothing; a line without a stock keeping unit goes by its name.
    assert shopper_of("jonas@mail.example").marketing == "unknown"
    assert Product.objects.filter(sku="Gift card", in_catalogue=False).exists()


def test_what_was_not_sold_is_refused_with_its_reason() -> None:
    upload = load("shopify_orders.csv")
    assert Counter(upload.findings) == {"order_refunded": 1, "order_cancelled": 1, "order_test": 1}
    assert load("woocommerce_orders.csv").findings["order_unpaid"] == 1


def test_orders_by_address_go_to_the_shopper_who_has_it() -> None:
    load("shopify_customers.csv")
    assert shopper_of("elena@mail.example").external_id == "7001"
    load("shopify_orders.csv")
    assert Event.objects.filter(shopper__external_id="7001").count() == 2


def test_variants_and_pictures_of_a_shopify_product() -> None:
    upload = load("shopify_products.csv")
    assert upload.duplicates == 1, "a row that only brings another picture"
    bottle, small, large, mug = (Product.objects.get(sku=sku) for sku in ("TB-1", "SS-M", "SS-L", "OM-1"))
    assert (bottle.name, str(bottle.price), bottle.stock, bottle.category) == (
        "Trail bottle 1 L", "12.90", 40, "Camping > Bottles",
    )  # fmt: skip
    assert bottle.attributes == {"tags": ["steel", "outdoor"]}
    assert (small.name, large.name) == ("Storm shell – M", "Storm shell – L")
    assert (large.stock, large.image) == (0, "https://shop.example/ss-l.png")
    assert (mug.active, bottle.active) == (False, True)


def test_the_price_of_all_pieces_is_taken_apart() -> None:
    load("woocommerce_items.csv")
    bottle = Event.objects.get(product__sku="TB-1")
    assert (bottle.quantity, str(bottle.amount), bottle.shopper.external_id) == (2, "25.80", "41")


def test_an_order_of_one_row_becomes_its_lines() -> None:
    upload = load("woocommerce_wide.csv")
    lines = Event.objects.order_by("order_ref", "product__sku").values_list(
        "order_ref", "product__sku", "product__name", "quantity", "amount", "shopper__country"
    )
    assert [(*line[:4], str(line[4]), line[5]) for line in lines] == [
        ("701", "SS-M", "Storm shell | blue - M", 1, "36.00", "DE"),
        ("701", "TB-1", "Trail bottle 1 L", 2, "25.80", "DE"),
        ("704", "Gift card", "Gift card", 1, "9.00", "SE"),
    ]  # fmt: skip
    assert upload.findings == {"order_refunded": 1, "order_cancelled": 1}
    assert shopper_of("elena@mail.example").external_id == "41"
    assert shopper_of("ada@mail.example").external_id != "0", "guests are not one shopper"


def test_refused_lines_of_a_wide_order_can_be_corrected_and_loaded() -> None:
    upload = load("woocommerce_wide.csv")
    refused = gzip.decompress(path_of(upload.rejects_file).read_bytes()).decode()
    rows = list(csv.reader(io.StringIO(refused)))
    assert [row[rows[0].index("line_item")].split("|")[2] for row in rows[1:]] == ["sku:TB-1", "sku:TB-1"]
    again = load("corrected.csv", refused.replace("cancelled", "completed").encode())
    assert (again.layout, again.rows_read, again.loaded, again.rejected) == ("woocommerce_wide", 2, 1, 1)


def test_wide_rows_that_cannot_be_read_are_refused_and_the_others_are_loaded() -> None:
    text = (FORMATS / "woocommerce_wide.csv").read_text()
    bare = ",".join(["9105", "705", "2026-03-08 10:00:00", "", "completed", *[""] * 10, "ada@mail.example", *[""] * 7])
    upload = load("wide.csv", f"{text}{bare}\n9106,short\n".encode())
    assert (upload.rows_read, upload.loaded, upload.rejected) == (7, 3, 4)
    assert (upload.findings["no_product"], upload.findings["too_few_cells"]) == (1, 1)


def test_an_order_of_many_items_stays_together_over_the_borders_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SIZE", 2)
    monkeypatch.setattr(tables, "MOST", 3)
    header = "order_id,order_date,status,billing_email," + ",".join(f"line_item_{n}" for n in range(1, 8))
    rows = [
        f"{order},2026-03-04 10:12:13,completed,elena@mail.example,"
        + ",".join(f"name:Mug {n}|product_id:1|sku:M{n}|quantity:1|total:1.00" for n in range(7))
        for order in (1, 2)
    ]
    upload = load("wide.csv", "\n".join([header, *rows]).encode())
    assert (upload.rows_read, upload.loaded) == (14, 14)


def test_what_came_back_of_a_line_was_not_sold() -> None:
    upload = load("woocommerce_rows.csv")
    bottle = Event.objects.get()
    assert (bottle.quantity, str(bottle.amount)) == (2, "25.80")
    assert upload.findings == {"order_refunded": 1}
    text = (FORMATS / "magento_items.csv").read_text().replace(",price\n", ",price,qty_refunded,qty_canceled\n")
    text = text.replace("2.0000,12.9000", "2.0000,12.9000,1.0000,0.0000").replace(",36.0000", ",36.0000,0.0000,1.0000")
    upload = load("magento.csv", text.encode())
    assert (upload.loaded, upload.findings) == (1, {"order_refunded": 1})
    assert Event.objects.get(order_ref="000000101").quantity == 1
    text = (FORMATS / "woocommerce_orders.csv").read_text().replace("2,12.90", "0,12.90")
    assert load("woocommerce.csv", text.encode()).findings["order_refunded"] == 1


def test_the_options_of_a_magento_product_are_no_second_sale() -> None:
    header, first, second = (FORMATS / "magento_items.csv").read_text().splitlines()
    rows = [f"{header},parent_item_id", f"{first},", f"{second},", f"{first.replace('12.9000', '0.0000')},17"]
    upload = load("magento.csv", "\n".join(rows).encode())
    assert (upload.loaded, upload.findings) == (2, {"order_part": 1})


def test_headers_of_other_versions_are_recognised() -> None:
    text = (FORMATS / "woocommerce_orders.csv").read_text()
    assert load("older.csv", text.replace("Item Name", "Name").encode()).layout == "woocommerce_orders"
    text = (FORMATS / "woocommerce_customers.csv").read_text()
    shown = text.replace("Name,Username,Last Active,Sign Up", "Name,Login,Last active,Date registered")
    assert load("table.csv", shown.encode()).layout == "woocommerce_customers"
    text = (FORMATS / "ga4_events.csv").read_text().replace("items.", "items.0.")
    assert load("numbered.csv", text.encode()).loaded == 3
    assert Product.objects.filter(sku="TB-1").exists()


def test_an_order_grid_has_orders_without_products() -> None:
    load("magento_orders.csv")
    order = Event.objects.get()
    assert (order.product, str(order.amount), order.order_ref) == (None, "66.80", "000000101")


@pytest.mark.parametrize("name", ["google_merchant.tsv", "google_merchant.xml"])
def test_a_merchant_feed_brings_prices_pictures_and_what_is_sold(name: str) -> None:
    load(name)
    bottle, shell = Product.objects.get(sku="TB-1"), Product.objects.get(sku="SS-M")
    assert (str(bottle.price), bottle.currency, bottle.active) == ("12.90", "GBP", True)
    assert (bottle.url, bottle.category) == ("https://shop.example/p/tb", "Camping > Bottles")
    assert (str(shell.price), shell.active) == ("36.00", False)


def test_visits_are_known_by_the_visitor_until_somebody_logs_in() -> None:
    load("ga4_events.csv")
    kinds = dict(Event.objects.values_list("kind", "shopper__external_id"))
    assert kinds["purchase"] == "41"
    purchase = Event.objects.get(kind="purchase")
    assert (str(purchase.amount), purchase.order_ref) == ("25.80", "601")
    assert purchase.at.isoformat() == "2026-03-04T10:14:13+00:00"


def test_ratings_are_no_purchases() -> None:
    load("grouplens_ratings.csv")
    assert set(Event.objects.values_list("kind", flat=True)) == {"rating"}
    plain = b"user_id,item_id,rating,timestamp\n1,A,4,2026-01-01 10:00:00\n"
    assert load("ratings.csv", plain).layout == "ratings"


@pytest.mark.parametrize(
    ("files", "reasons"),
    [
        (["klaviyo_profiles.csv"], {"jonas": "unsubscribed", "ada": "bounced"}),
        (
            ["mailchimp_subscribed.csv", "mailchimp_unsubscribed.csv", "mailchimp_cleaned.csv"],
            {"jonas": "unsubscribed", "ada": "bounced"},
        ),
    ],
)
def test_permission_and_suppression_come_along(files: list[str], reasons: dict[str, str]) -> None:
    for name in files:
        load(name)
    elena, jonas, ada = (shopper_of(f"{name}@mail.example") for name in ("elena", "jonas", "ada"))
    assert (elena.marketing, jonas.marketing, ada.marketing) == ("given", "withdrawn", "unknown")
    assert elena.consents.get().source in ("Klaviyo", "Mailchimp")
    found = dict(Suppression.objects.values_list("email_index", "reason"))
    assert found == {blind_index(f"{name}@mail.example"): reason for name, reason in reasons.items()}


def test_a_buyer_who_never_subscribed_gave_no_permission() -> None:
    load("nonsubscribed_members.csv")
    assert shopper_of("mia@mail.example").marketing == "unknown"
    text = (FORMATS / "mailchimp_subscribed.csv").read_text().replace("2026-01-01 09:05:00", "")
    load("subscribed_members.csv", text.encode())
    assert shopper_of("elena@mail.example").marketing == "unknown", "nothing was confirmed"


def test_rows_that_leave_out_the_number_of_their_order_belong_to_the_one_above() -> None:
    text = (FORMATS / "woocommerce_orders.csv").read_text()
    first, second = text.splitlines()[1:3]
    bare = ",".join(["" if at < 12 else cell for at, cell in enumerate(second.split(","))])
    assert first != second
    load("woocommerce_orders.csv", text.replace(second, bare).encode())
    assert set(Event.objects.values_list("order_ref", "shopper")) == {("501", shopper_of("elena@mail.example").pk)}
    assert Event.objects.count() == 2


def test_what_google_did_not_set_is_empty() -> None:
    text = (FORMATS / "ga4_events.csv").read_text().replace("TB-1,Trail bottle 1 L", "(not set),(not set)")
    load("ga4.csv", text.replace("Germany", "(not set)").encode())
    assert not Product.objects.exists()
    assert not Shopper.objects.exclude(country="").exists()


def test_phone_numbers_are_taken_from_where_they_stand() -> None:
    load("shopify_customers.csv")
    assert shopper_of("elena@mail.example").identity.phone == "+4930000000"


def test_amounts_in_another_currency_are_left_out(shop: Any) -> None:
    Shop.objects.update(currency="EUR")
    upload = load("magento_items.csv")
    assert upload.findings["other_currency"] == 2
    assert not Event.objects.exclude(amount=None).exists()


def test_every_format_is_documented() -> None:
    text = (FORMATS.parents[2] / "docs" / "formats.md").read_text()
    assert not [name for name in BY_NAME if name != "ratings" and f"`{name}`" not in text]
    assert not [path.name for path in FORMATS.iterdir() if f"`{path.name}`" not in text]


def test_permission_at_many_moments_costs_no_query_a_row(django_assert_max_num_queries: Any) -> None:
    header, row = (FORMATS / "mailchimp_subscribed.csv").read_text().splitlines()
    moments = [f"2026-01-01 09:{n // 60:02}:{n % 60:02}" for n in range(300)]
    rows = [row.replace("elena@", f"elena{n}@").replace("2026-01-01 09:05:00", at) for n, at in enumerate(moments)]
    with django_assert_max_num_queries(150):
        load("subscribed.csv", "\n".join([header, *rows]).encode())
    assert Shopper.objects.filter(marketing="given").count() == 300
    assert Consent.objects.values("at").distinct().count() == 300
