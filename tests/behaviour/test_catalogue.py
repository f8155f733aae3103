"""The products page and the page of one product."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analytics import search
from behaviour import pictures
from behaviour.catalogue import Filters, listed, orders_by_week, recent_orders, sellable
from behaviour.fetching import Answer
from behaviour.models import Product, StockChange, Upload
from mailai.accounts.models import AuditEntry

pytestmark = pytest.mark.django_db
LIST = "behaviour:products"


def page(client_for: Any, user: Any, url: str) -> str:
    answer = client_for(user).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def skus(**filters: str) -> list[str]:
    return [one.sku for one in listed(Filters(**filters))]


@pytest.mark.parametrize("role", ["admin", "marketer", "manager"])
def test_every_role_may_read_the_catalogue(role: str, request: Any, client_for: Any, make_product: Any) -> None:
    one = make_product(name="Trail mug")
    user = request.getfixturevalue(role)
    assert "Trail mug" in page(client_for, user, reverse(LIST))
    assert "Trail mug" in page(client_for, user, reverse("behaviour:product", args=[one.sku]))


def test_who_has_no_role_reads_nothing(stranger: Any, client_for: Any, make_product: Any) -> None:
    assert client_for(stranger).get(reverse(LIST)).status_code == 403
    assert client_for(stranger).get(reverse("behaviour:product", args=[make_product().sku])).status_code == 403


def test_words_look_into_name_number_and_category(make_product: Any) -> None:
    make_product(sku="AB-1", name="Trail mug", category="Camping > Cups")
    make_product(sku="XY-2", name="Pot", category="Kitchen > Pots")
    assert skus(words="MUG") == skus(words="ab-") == skus(words="camping") == ["AB-1"]
    assert skus(words="nothing") == []


def test_the_list_can_be_narrowed(make_product: Any) -> None:
    make_product(sku="sold", stock=0)
    make_product(sku="off", active=False)
    make_product(sku="new", in_catalogue=False, image="")
    make_product(sku="bare", image="")
    make_product(sku="gone", image_state="not_found")
    assert skus(show="out_of_stock") == ["sold"]
    assert skus(show="inactive") == ["off"]
    assert skus(show="unknown") == ["new"]
    assert set(skus(show="picture")) == {"bare", "gone"}
    assert set(skus(show="in_stock")) == {"new", "bare", "gone"}


def test_products_without_price_or_stock_stand_last(make_product: Any) -> None:
    make_product(sku="a", name="C", price=None, stock=5)
    make_product(sku="b", name="A", price=Decimal(3), stock=None)
    make_product(sku="c", name="B", price=Decimal(7), stock=2)
    assert skus(sort="price") == ["c", "b", "a"]
    assert skus(sort="stock") == ["c", "a", "b"]
    assert skus(sort="name") == ["b", "c", "a"]
    assert skus() == ["c", "b", "a"]


def test_nonsense_in_the_address_is_ignored(admin: Any, client_for: Any, make_product: Any) -> None:
    make_product(name="Trail mug")
    assert "Trail mug" in page(client_for, admin, reverse(LIST) + "?sort=evil&show=evil&page=-1")


def test_products_of_an_unfinished_upload_are_not_listed(admin: Any, client_for: Any, make_product: Any) -> None:
    hidden = Upload.objects.create(kind="products", hidden=True, state=Upload.State.IMPORTING)
    one = make_product(upload=hidden)
    assert skus() == []
    assert client_for(admin).get(reverse("behaviour:product", args=[one.sku])).status_code == 404


def test_orders_of_the_last_ninety_days_are_counted(
    admin: Any, client_for: Any, make_product: Any, make_shopper: Any, make_event: Any
) -> None:
    one, shopper, now = make_product(), make_shopper(), datetime.now(UTC)
    for ref, days in (("O1", 1), ("O1", 1), ("O2", 5), ("", 8), ("O3", 120)):
        make_event(shopper, product=one, order_ref=ref, at=now - timedelta(days=days))
    make_event(shopper, "view", product=one, at=now)
    answer = client_for(admin).get(reverse(LIST))
    assert [row["orders"] for row in answer.context["rows"]] == [3]


def test_more_products_need_no_more_queries(
    admin: Any, client_for: Any, make_product: Any, make_shopper: Any, make_event: Any
) -> None:
    def queries() -> int:
        client = client_for(admin)
        client.get(reverse(LIST))
        with CaptureQueriesContext(connection) as seen:
            client.get(reverse(LIST))
        return len(seen)

    make_event(make_shopper(), product=make_product())
    few = queries()
    for _n in range(20):
        make_event(make_shopper(), product=make_product())
    assert queries() == few


def test_the_page_of_a_product_tells_its_history(
    admin: Any, client_for: Any, make_product: Any, make_shopper: Any, make_event: Any
) -> None:
    now = datetime.now(UTC)
    one = make_product(
        sku="A", price=Decimal("8.50"), stock=0, currency="EUR", attributes={"brand": "Pine", "tags": ["red", "big"]}
    )
    for days, cents, stock in ((30, 999, 5), (3, 850, 0)):
        at = now - timedelta(days=days)
        StockChange.objects.create(product=one, at=at, price=Decimal(cents) / 100, stock=stock)
    make_event(make_shopper(), product=one, quantity=4, at=now)
    answer = client_for(admin).get(reverse("behaviour:product", args=["A"]))
    findings = {chart.id: chart.finding for chart in answer.context["charts"]}
    assert findings["orders-by-week"] == "4 pieces ordered in 26 weeks"
    assert findings["price-history"] == "The price went from €9.99 to €8.50"
    assert findings["stock-history"].startswith("Sold out since")
    text = answer.content.decode()
    assert "Pine" in text
    assert "red, big" in text
    assert "Out of stock" in text


def test_a_product_that_only_events_named_says_so(admin: Any, client_for: Any, make_product: Any) -> None:
    one = make_product(in_catalogue=False, name="", image="", price=None)
    assert "Not in the catalogue yet" in page(client_for, admin, reverse(LIST))
    assert "Only events speak of this product" in page(client_for, admin, reverse("behaviour:product", args=[one.sku]))


@pytest.mark.parametrize("sku", ["a/b", "..", ".", "50%", "a b", "产品-1", "a?b#c", "a\\b", "%2F", 'q"<b>', "a/switch"])
def test_any_number_of_a_shop_has_its_page(sku: str, admin: Any, client_for: Any, make_product: Any) -> None:
    make_product(sku=sku, name="The one")
    answer = client_for(admin).get(reverse("behaviour:product", args=[sku]))
    assert (answer.status_code, answer.context["product"].sku) == (200, sku)


def test_an_admin_keeps_a_product_out_of_emails(admin: Any, marketer: Any, client_for: Any, make_product: Any) -> None:
    one = make_product()
    url = reverse("behaviour:product_switch", args=[one.sku])
    assert client_for(marketer).post(url, {"active": "no"}).status_code == 403
    assert client_for(admin).get(url).status_code == 405
    for _turn in range(2):
        assert client_for(admin).post(url, {"active": "no"}).status_code == 302
    assert not sellable().exists()
    client_for(admin).post(url, {"active": "yes"})
    assert sellable().exists()
    actions = AuditEntry.objects.filter(action__startswith="product.").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["product.deactivate", "product.activate"]


def test_a_picture_of_another_host_comes_through_this_site(admin: Any, client_for: Any, make_product: Any) -> None:
    one = make_product(image="https://shop.example/a.png", image_state="ok")
    unknown = make_product(image="https://shop.example/b.png")
    url = reverse("behaviour:product_picture", args=[one.sku])
    text = page(client_for, admin, reverse(LIST))
    assert url in text
    assert "https://shop.example" not in text
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20)
    with patch.object(pictures.Fetcher, "fetch", return_value=Answer(200, "image/png", picture, 28)) as fetch:
        answer = client_for(admin).get(url)
        assert (answer.content, answer["Content-Type"]) == (picture, "image/png")
        assert (
            client_for(admin).get(reverse("behaviour:product_picture", args=[unknown.sku]))["Content-Type"]
            == "image/gif"
        )
        assert fetch.call_count == 1
    with patch.object(pictures.Fetcher, "fetch", return_value=Answer(200, "image/png", b"<svg onload=x>", 14)):
        assert client_for(admin).get(url)["Content-Type"] == "image/gif"


def test_the_search_field_finds_products(admin: Any, make_product: Any) -> None:
    make_product(sku="AB/1", name="Trail mug")
    hits = [hit for hit in search.find(admin, "trail") if hit.icon == "package"]
    assert [(hit.label, hit.url) for hit in hits] == [("Trail mug", reverse("behaviour:product", args=["AB/1"]))]
    assert Product.objects.count() == 1


def test_an_empty_catalogue_says_what_to_do(admin: Any, client_for: Any) -> None:
    text = page(client_for, admin, reverse(LIST))
    assert "No products yet" in text
    assert reverse("behaviour:import_new") in text


def test_recent_orders_are_read_from_the_index_over_bought_products(make_product: Any) -> None:
    plans: list[str] = []
    word = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        plans.append(str(context["cursor"].cursor.execute(f"{word} {sql}", params).fetchall()))
        return execute(sql, params, many, context)

    product = make_product()
    if connection.vendor == "postgresql":
        # It would read so small a table as a whole.
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    with connection.execute_wrapper(explain):
        recent_orders([product.pk])
        orders_by_week(product)
    assert len(plans) == 2
    assert all("event_bought" in plan for plan in plans)
