"""Undo of files that changed what was there: products go back, permission is never widened."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from behaviour import catalogue, consent, product_history
from behaviour.api_people import save_products
from behaviour.core.api_records import ProductRecord
from behaviour.models import Consent, Product, ProductChange, Shopper, StockChange, Upload
from behaviour.removal import cancel_upload, remove_rows, undo_upload

pytestmark = pytest.mark.django_db
FIRST = "item_id,name,price,stock,category,image,attributes\nA,Mug,9.50,4,Kitchen,https://s.example/a.png,red\n"


def loaded(folder: Path, text: str, name: str = "products.csv") -> Upload:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    call_command("upload", str(path), yes=True, verbosity=0)
    return Upload.objects.latest("pk")


def state(sku: str = "A") -> tuple[Any, ...]:
    product = Product.everything.get(sku=sku)
    return product.name, product.price, product.stock, product.category, product.image, product.attributes


FORMER = ("Mug", Decimal("9.50"), 4, "Kitchen", "https://s.example/a.png", {"tags": ["red"]})


def test_an_undo_gives_older_products_back_what_the_file_changed(tmp_path: Path) -> None:
    loaded(tmp_path, FIRST)
    Product.objects.update(image_state="ok")
    wrong = loaded(
        tmp_path,
        "item_id,name,price,stock,category,image,attributes,active\n"
        "A,Pot,1.00,0,Garden,https://s.example/b.png,blue,no\nB,Hoe,3,,,,,\n",
    )
    assert state()[0] == "Pot"
    assert undo_upload(wrong)["products_restored"] == 1
    assert state() == FORMER
    product = Product.objects.get()
    assert (product.active, product.image_state) == (True, "")
    assert list(StockChange.objects.order_by("pk").values_list("price", "stock")) == [
        (Decimal("9.50"), 4), (Decimal("1.00"), 0), (Decimal("9.50"), 4),
    ]  # fmt: skip
    assert "products_restored" not in remove_rows(wrong.pk), "again, it changes nothing"
    assert state() == FORMER


def test_what_something_newer_changed_stays(tmp_path: Path) -> None:
    loaded(tmp_path, FIRST)
    wrong = loaded(tmp_path, "item_id,name,price,stock,category\nA,Pot,1.00,7,Garden\n")
    loaded(tmp_path, "item_id,price\nA,8.00\n")
    save_products([(0, ProductRecord(item_id="A", stock=2))], "key")
    Product.objects.update(category="Terrace")
    undo_upload(wrong)
    assert state()[:4] == ("Mug", Decimal("8.00"), 2, "Terrace")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_undos_in_any_order_go_back_to_what_was_before_both(tmp_path: Path, order: tuple[int, int]) -> None:
    loaded(tmp_path, FIRST)
    both = [loaded(tmp_path, f"item_id,name,price\nA,Pot {n},{n}.00\n") for n in (1, 2)]
    undo_upload(both[order[0]])
    assert state()[0] == ("Pot 2" if order == (0, 1) else "Pot 1")
    undo_upload(both[order[1]])
    assert state() == FORMER
    assert not ProductChange.objects.exists()


def test_a_product_that_only_events_named_leaves_the_catalogue_again(tmp_path: Path, make_product: Any) -> None:
    make_product(sku="A", name="", price=None, image="", in_catalogue=False)
    undo_upload(loaded(tmp_path, FIRST))
    product = Product.objects.get()
    assert (product.name, product.price, product.in_catalogue, product.attributes) == ("", None, False, {})


class KilledError(BaseException):
    """What a kill looks like from inside."""


def test_killed_and_run_again_it_ends_as_an_undisturbed_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_history, "BATCH", 2)
    loaded(tmp_path, "item_id,name\n" + "".join(f"P{n},Mug {n}\n" for n in range(7)))
    wrong = loaded(tmp_path, "item_id,name\n" + "".join(f"P{n},Pot\n" for n in range(7)))
    true_restore, seen = product_history._restore, []

    def restored(*args: Any) -> set[int]:
        seen.append(args)
        if len(seen) == 3:
            raise KilledError
        return true_restore(*args)

    monkeypatch.setattr(product_history, "_restore", restored)
    with pytest.raises(KilledError):
        undo_upload(wrong)
    assert Product.everything.filter(name="Pot").count() == 3
    remove_rows(wrong.pk)
    assert not Product.everything.filter(name="Pot").exists()
    assert not Upload.objects.get(pk=wrong.pk).hidden


def test_a_stopped_import_gives_back_what_it_changed(tmp_path: Path) -> None:
    loaded(tmp_path, FIRST)
    stopped = loaded(tmp_path, "item_id,name\nA,Pot\n")
    Upload.objects.filter(pk=stopped.pk).update(state="failed", hidden=True)
    cancel_upload(Upload.objects.get(pk=stopped.pk))
    remove_rows(stopped.pk)
    assert state() == FORMER


def test_many_products_go_back_in_as_many_queries_as_one(tmp_path: Path) -> None:
    def queries(n: int) -> int:
        loaded(tmp_path, "item_id,name,price\n" + "".join(f"{n}-{at},Mug,2\n" for at in range(n)))
        wrong = loaded(tmp_path, "item_id,name,price\n" + "".join(f"{n}-{at},Pot,3\n" for at in range(n)))
        with CaptureQueriesContext(connection) as seen:
            undo_upload(wrong)
        return len(seen)

    few, many = queries(2), queries(300)
    assert many <= few + 2
    assert set(Product.objects.values_list("name", "price")) == {("Mug", Decimal("2.00"))}


def test_an_undo_never_lets_anybody_be_mailed_again(tmp_path: Path, make_shopper: Any) -> None:
    given = make_shopper("elena@mail.example", external_id="1", marketing="unknown")
    consent.give([given.pk], Consent.Purpose.MARKETING, source="checkout", at=datetime(2026, 1, 1, tzinfo=UTC))
    new = make_shopper("jonas@mail.example", external_id="2", marketing="unknown")
    file = loaded(
        tmp_path,
        "user_id,email,consent,consent_at\n1,elena@mail.example,no,2026-02-01\n"
        "2,jonas@mail.example,yes,2026-01-01\n3,mia@mail.example,no,2026-01-01\n",
        "shoppers.csv",
    )
    assert Shopper.objects.get(pk=new.pk).marketing == "given"
    undo_upload(file)
    assert dict(Shopper.objects.values_list("external_id", "marketing")) == {"1": "withdrawn", "2": "unknown"}


def test_the_page_of_a_product_tells_who_changed_it_last(
    tmp_path: Path, admin: Any, marketer: Any, client_for: Any
) -> None:
    loaded(tmp_path, FIRST)
    page = reverse("behaviour:product", args=["A"])
    assert "Last changed" not in client_for(admin).get(page).content.decode()
    upload = loaded(tmp_path, "item_id,name\nA,Pot\n", "newer.csv")
    shown = client_for(admin).get(page).content.decode()
    assert "Last changed by newer.csv" in shown
    assert reverse("behaviour:import_run", args=[upload.uuid]) in shown
    shown = client_for(marketer).get(page).content.decode()
    assert "Last changed by newer.csv" in shown
    assert reverse("behaviour:import_run", args=[upload.uuid]) not in shown
    save_products([(0, ProductRecord(item_id="A", stock=2))], "key")
    assert "Last changed by the API" in client_for(admin).get(page).content.decode()
    change = catalogue.last_change(Product.objects.get())
    assert change is not None
    assert (change.before, change.after) == ({"stock": 4}, {"stock": 2})
