"""Changes of products, and what orders say in passing, wait until their file is published; its undo takes them back."""

from decimal import Decimal
from typing import Any

import pytest

from behaviour.api_people import save_products
from behaviour.core.api_records import ProductRecord
from behaviour.models import Product, Shopper, StockChange
from behaviour.removal import cancel_upload, remove_rows, undo_upload
from tests.behaviour.test_set_aside import imported, imported_but, one_row_a_block, unpublished

pytestmark = pytest.mark.django_db
PRODUCTS = "item_id,name,price,stock,category,image,attributes,active\n"
MUG = PRODUCTS + "A,Mug,9.50,4,Kitchen,https://s.example/a.png,red,yes\n"
POT = PRODUCTS + "A,Pot,8.00,0,Garden,https://s.example/b.png,blue,no\nB,Hoe,3,,,,,\n"


def product() -> tuple[Any, ...]:
    names = ("name", "price", "stock", "category", "image", "attributes", "active", "image_state")
    return tuple(Product.objects.filter(sku="A").values_list(*names).get())


OLD = ("Mug", Decimal("9.50"), 4, "Kitchen", "https://s.example/a.png", {"tags": ["red"]}, True, "ok")
NEW = ("Pot", Decimal("8.00"), 0, "Garden", "https://s.example/b.png", {"tags": ["blue"]}, False, "")


@pytest.fixture
def mug() -> None:
    imported(MUG, "products.csv")
    Product.objects.update(image_state="ok")


@pytest.mark.usefixtures("mug")
def test_what_a_file_says_of_products_counts_all_at_once() -> None:
    seen: list[Any] = []
    upload = imported_but(POT, lambda: seen.extend([product(), Product.objects.count()]), "products.csv")
    assert seen == [OLD, 1]
    assert product() == NEW
    assert list(StockChange.objects.filter(product__sku="A").order_by("pk").values_list("stock", "price")) == [
        (4, Decimal("9.50")), (0, Decimal("8.00")),
    ]  # fmt: skip
    assert (upload.loaded, Product.objects.count()) == (2, 2)
    undo_upload(upload)
    assert product() == (*OLD[:-1], "")


@pytest.mark.usefixtures("mug")
def test_a_stopped_catalogue_changes_no_product() -> None:
    stopped = unpublished(POT, "products.csv")
    cancel_upload(stopped)
    assert "products_restored" not in remove_rows(stopped.pk)
    assert product() == OLD
    assert Product.everything.count() == 1


@pytest.mark.usefixtures("mug")
def test_a_product_named_twice_far_apart_is_what_was_said_last(monkeypatch: pytest.MonkeyPatch) -> None:
    one_row_a_block(monkeypatch)
    upload = imported(POT + "C,Cup,1,,,,,\n" * 5 + "A,Pan,,,,,,\nA,Pan,8.00,,,,,\n", "products.csv")
    assert product() == ("Pan", *NEW[1:])
    undo_upload(upload)
    assert product() == (*OLD[:-1], "")


@pytest.mark.usefixtures("mug")
def test_what_the_shop_changed_meanwhile_comes_back_with_an_undo() -> None:
    upload = imported_but(
        PRODUCTS + "A,,8.00,,,,,\n",
        lambda: save_products([(0, ProductRecord(item_id="A", price=7.0, stock=9))], "key"),
        "products.csv",
    )
    assert product()[1:3] == (Decimal("8.00"), 9)
    undo_upload(upload)
    assert product()[1:3] == (Decimal("7.00"), 9)


@pytest.mark.usefixtures("mug")
def test_an_undo_beside_an_import_goes_back_below_it() -> None:
    wrong = imported(PRODUCTS + "A,Wrong,,,,,,\n", "products.csv")
    later = imported_but(PRODUCTS + "A,Later,,,,,,\n", lambda: undo_upload(wrong), "products.csv")
    assert product()[0] == "Later"
    undo_upload(later)
    assert product()[0] == "Mug"


def test_names_prices_and_countries_of_orders_fill_what_everybody_sees_with_the_publication() -> None:
    imported("user_id,event,product_id,timestamp\nU1,view,P1,2024-05-01\n", "views.csv")
    seen: list[Any] = []

    def look() -> None:
        seen.extend(Product.objects.values_list("name", "price"))
        seen.extend(Shopper.objects.values_list("country"))

    head = "user_id,event,product_id,timestamp,quantity,price,product_name,country,order_id\n"
    upload = imported_but(head + "U1,purchase,P1,2024-05-02,2,4.50,Mug,Malta,O1\n", look, "orders.csv")
    assert seen == [("", None), ("",)]
    assert Product.objects.values_list("name", "price").get() == ("Mug", Decimal("4.50"))
    assert Shopper.objects.get().country == "Malta"
    undo_upload(upload)
    assert Product.objects.values_list("name", "price").get() == ("", None)
    assert Shopper.objects.get().country == ""
