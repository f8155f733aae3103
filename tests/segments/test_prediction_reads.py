"""What predictions read: each event counts where it belongs, also where blocks meet."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from behaviour.models import Product, Upload
from segments import order_reads, reading
from segments.activity_reads import Activity
from tests.segments.conftest import NOW

AT = order_reads.day_number(NOW)


@pytest.fixture(params=[1, 100_000])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS", request.param)


@pytest.mark.usefixtures("_blocks")
def test_orders_refunds_and_what_orders_held(make_shopper: Any, make_event: Any, buy: Any) -> None:
    mug, lamp, plain = (
        Product.objects.create(sku=sku, category=name) for sku, name in ((1, "Mugs"), (2, "Lamps"), (3, ""))
    )
    ann, bob = make_shopper(), make_shopper()
    buy(ann, 9, 10, product=mug, ref="a")
    buy(bob, 5, 7, product=lamp, ref="a")
    buy(ann, 9, 2.35, product=lamp, ref="a")
    buy(ann, 8.9, 4, product=mug, ref="b")
    buy(ann, 3, 1, product=plain)
    buy(ann, 2.99, 2, product=mug)
    make_event(ann, "refund", at=NOW - timedelta(days=1), amount=-3)
    make_event(bob, at=NOW - timedelta(days=1), amount=None, order_ref="c")
    make_event(bob, at=NOW, amount=50, order_ref="later")
    hidden = Upload.objects.create(kind="events", hidden=True)
    make_event(bob, at=NOW - timedelta(days=2), amount=50, order_ref="hidden", upload=hidden)
    bought = order_reads.read_bought(NOW)
    book = bought.book
    assert book.shoppers[book.shopper].tolist() == [ann.pk] * 3 + [bob.pk] * 2
    assert book.money.tolist() == [12.35, 4, 3, 7, 0]
    assert np.allclose(AT - book.day, [9, 8.9, 3, 5, 1], atol=1e-4)
    assert (book.shoppers[book.back_shopper].tolist(), book.back_money.tolist()) == ([ann.pk], [3])
    habits = order_reads.habits(bought, book.shoppers, np.array([3.0, 2.0]))
    held = {
        (int(book.shoppers[who]), bought.names[category]): n
        for who, category, n in zip(habits.shopper, habits.category, habits.count, strict=True)
    }
    assert held == {(ann.pk, "Mugs"): 3, (ann.pk, "Lamps"): 1, (bob.pk, "Lamps"): 1}


@pytest.mark.usefixtures("_blocks")
def test_activity_is_that_of_the_days_before_each_moment(make_shopper: Any, make_event: Any) -> None:
    ann, bob, cat = (make_shopper() for _number in range(3))
    second = 1 / order_reads.DAY
    for who, kind, ago in (
        (ann, "view", 0), (ann, "view", second), (ann, "view", 30), (ann, "view", 30 + second), (ann, "view", 90),
        (ann, "cart", 2), (ann, "view", 100), (ann, "email_open", 91), (ann, "favourite", 1), (bob, "email_click", 40),
        (bob, "email_open", 90 + second), (cat, "view", 1),
    ):  # fmt: skip
        make_event(who, kind, at=NOW - timedelta(days=ago))
    ids = np.array([ann.pk, bob.pk])
    seen = Activity([AT, AT - 90], ids)
    now, before = seen.of(AT, ids), seen.of(AT - 90, ids)
    # Views of 30 and 90 days, carts, days since she was seen, opens, clicks.
    assert np.allclose(now, [[2, 4, 1, second, 0, 0], [0, 0, 0, 90, 0, 1]])
    assert np.allclose(before, [[1, 1, 0, 10, 1, 0], [0, 0, 0, 90, 1, 0]])
    assert seen.of(AT, ids[1:]).tolist() == now[1:].tolist()
