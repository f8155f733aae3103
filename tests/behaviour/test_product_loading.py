"""Files about products: what is new, what changes, what stays, and the history of price and stock."""

import io
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from behaviour import product_loading, uploads
from behaviour.importing import import_upload
from behaviour.models import Product, StockChange, Upload

pytestmark = pytest.mark.django_db


def imported(text: str, **options: Any) -> Upload:
    received = uploads.receive_upload(io.BytesIO(text.encode()), "products.csv", **options)
    upload = import_upload(uploads.queue(received).pk)
    assert upload.loaded + upload.duplicates + upload.rejected == upload.rows_read
    return upload


def history(sku: str) -> list[tuple[int | None, Decimal | None]]:
    return list(StockChange.objects.filter(product__sku=sku).order_by("pk").values_list("stock", "price"))


def test_an_empty_cell_changes_nothing() -> None:
    imported("item_id,name,price,category,stock,url,currency\nA,Mug,9.50,Kitchen > Mugs,4,https://s.example/a,EUR\n")
    again = imported("item_id,name,price,category,stock,url,currency\nA,,,,,,\n")
    product = Product.objects.get()
    assert (again.loaded, again.duplicates) == (0, 1)
    assert (product.name, product.price, product.category) == ("Mug", Decimal("9.50"), "Kitchen > Mugs")
    assert (product.stock, product.url, product.currency, product.active) == (4, "https://s.example/a", "EUR", True)
    assert history("A") == [(4, Decimal("9.50"))]


def test_price_and_stock_are_noted_only_when_they_change() -> None:
    imported("item_id,name,price,stock\nA,Mug,9.50,4\nB,Pot,,\n")
    imported("item_id,name,price,stock\nA,Cup,9.50,4\nB,Pot,3,\n")
    imported("item_id,name,price,stock\nA,Cup,9.50,0\nB,Pot,3,\n")
    assert history("A") == [(4, Decimal("9.50")), (0, Decimal("9.50"))]
    assert history("B") == [(None, Decimal("3.00"))]
    assert Product.objects.get(sku="A").name == "Cup"


def test_a_product_that_only_events_named_enters_the_catalogue(make_product: Any) -> None:
    make_product(sku="A", name="Mug", in_catalogue=False, price=None, image="")
    upload = imported("item_id,name\nA,Mug\n")
    assert upload.loaded == 1
    assert Product.objects.get(sku="A").in_catalogue


def test_another_picture_is_looked_at_anew_and_the_same_one_is_not(make_product: Any) -> None:
    for sku in ("A", "B"):
        make_product(sku=sku, image="https://s.example/old.png", image_state="not_found")
    imported("item_id,name,image\nA,New,https://s.example/new.png\nB,New,https://s.example/old.png\n")
    assert dict(Product.objects.values_list("sku", "image_state")) == {"A": "", "B": "not_found"}


def test_a_product_of_an_unfinished_upload_becomes_visible_when_another_file_names_it(make_product: Any) -> None:
    unfinished = Upload.objects.create(kind="products", hidden=True, state=Upload.State.FAILED)
    make_product(sku="A", upload=unfinished)
    assert not Product.objects.exists()
    imported("item_id,name\nA,Mug\n")
    assert Product.objects.get().name == "Mug"


def test_attributes_follow_the_file() -> None:
    imported('item_id,name,attributes\nA,Mug,"{""brand"": ""Pine"", ""size"": ""L""}"\n')
    assert Product.objects.get(sku="A").attributes == {"brand": "Pine", "size": "L"}
    again = imported('item_id,name,attributes\nA,Mug,"{""brand"": ""Pine"", ""size"": ""L""}"\n')
    assert again.loaded == 0
    imported("item_id,name,attributes\nA,Mug,\n")
    imported("item_id,name,attributes\nB,Pot,red|blue steel\n")
    assert Product.objects.get(sku="B").attributes == {"tags": ["red", "blue steel"]}
    assert Product.objects.get(sku="A").attributes == {"brand": "Pine", "size": "L"}


def test_many_products_take_as_many_queries_as_one() -> None:
    def queries(upload: Upload) -> int:
        with CaptureQueriesContext(connection) as seen:
            import_upload(upload.pk)
        return len(seen)

    def queued(n: int, price: int) -> Upload:
        text = "item_id,name,price\n" + "".join(f"P{i},Product {i},{price}\n" for i in range(n))
        return uploads.queue(uploads.receive_upload(io.BytesIO(text.encode()), "products.csv"))

    imported("item_id,name,price\nZ,Z,1\n")
    few, many = queries(queued(2, 1)), queries(queued(400, 2))
    assert many <= few + 8
    assert Product.objects.filter(price=2).count() == 400


def test_parts_go_on_behind_the_last_one_that_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_loading, "PART", 3)
    text = "item_id,name\n" + "".join(f"P{i},Product {i}\n" for i in range(10))
    upload = imported(text)
    assert (upload.loaded, Product.objects.count()) == (10, 10)
