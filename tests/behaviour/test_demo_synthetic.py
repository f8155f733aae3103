"""The synthetic shop has the shape that it promises."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from behaviour import consent, demo
from behaviour.core import synthetic as core
from behaviour.demo import synthetic
from behaviour.models import Event, Product, Shopper, Upload

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
SMALL = {"shoppers": 60, "products": 40, "events": 900, "seed": 3}


@pytest.fixture(scope="module")
def year():
    rng = np.random.default_rng(1)
    shop = core.tastes(500, 300, rng)
    return shop, core.lines(shop, 20_000, 0, rng)


def test_a_tenth_of_the_products_sells_far_more_than_a_tenth(year):
    counts = np.sort(np.bincount(year[1].product, minlength=300))[::-1]
    assert counts[:30].sum() / counts.sum() > 0.3


def test_shoppers_buy_by_their_own_taste(year):
    shop, lines = year
    own = shop.product_taste[lines.product] == shop.shopper_taste[lines.shopper]
    assert own.mean() > 0.4


def test_shoppers_come_back_for_the_same_products(year):
    lines = year[1]
    pairs = lines.shopper * 300 + lines.product
    assert len(np.unique(pairs)) < 0.75 * len(pairs)


def test_december_is_busier_than_february(year):
    day = year[1].minute // 1440
    assert ((day >= 320) & (day < 350)).sum() > 1.5 * ((day >= 40) & (day < 70)).sum()


def test_an_empty_shop_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        core.tastes(0, 5, np.random.default_rng(0))


def _rows():
    return list(
        Event.objects.order_by("dedupe_key").values_list("shopper__external_id", "product__sku", "at", "amount")
    )


@pytest.mark.django_db
def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    synthetic.make_shop(**SMALL, now=NOW)
    first = _rows()
    demo.remove_demo_shop()
    synthetic.make_shop(**SMALL, now=NOW)
    assert _rows() == first
    demo.remove_demo_shop()
    synthetic.make_shop(**SMALL | {"seed": 4}, now=NOW)
    assert _rows() != first


@pytest.mark.django_db
def test_made_twice_nothing_doubles_and_most_may_be_mailed():
    synthetic.make_shop(**SMALL, now=NOW)
    made = synthetic.make_shop(**SMALL, now=NOW)
    assert (Shopper.objects.count(), Product.objects.count(), Event.objects.count()) == (60, 40, 900)
    assert made.events == 900
    assert consent.mailable().count() == 60
    assert not Shopper.objects.filter(demo=False).exists()
    assert Event.objects.latest("at").at < NOW


@pytest.mark.django_db
def test_real_shoppers_are_not_mixed_with_made_ones_by_accident(make_shopper, capsys):
    make_shopper()
    arguments = ["make_shop", "--shoppers", "5", "--products", "5", "--events", "20", "--json"]
    with pytest.raises(SystemExit):
        call_command(*arguments)
    assert "real shoppers" in json.loads(capsys.readouterr().out)["error"]
    call_command(*arguments, "--add")
    assert json.loads(capsys.readouterr().out)["events"] == 20


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--shoppers=0", "at least one shopper"),
        ("--shoppers=99999999999999", "At most 20,000,000 shoppers"),
        ("--products=3000000", "At most 2,000,000 products"),
        ("--events=9999999999", "At most 1,000,000,000 events"),
        ("--opens=-1", "fewer than no opened mails"),
    ],
)
def test_counts_out_of_range_are_refused_in_words(capsys, option, said):
    with pytest.raises(SystemExit):
        call_command("make_shop", "--shoppers=5", "--products=5", "--events=20", option, "--json")
    assert said in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("seed", ["-1", "x", "99999999999"])
def test_a_seed_that_no_generator_takes_is_wrong_usage(seed):
    with pytest.raises(CommandError, match="no whole number"):
        call_command("make_shop", "--shoppers=5", "--products=5", "--events=20", f"--seed={seed}")


def test_a_product_of_an_unfinished_upload_is_found(db):
    synthetic.make_shop(**SMALL, now=NOW)
    unfinished = Upload.objects.create(kind="events", hidden=True, state=Upload.State.FAILED)
    Product.objects.filter(sku="made-3").update(upload=unfinished)
    synthetic.make_shop(**SMALL, now=NOW, add=True)
    assert Product.objects.filter(sku="made-3").exists()
    assert not Event.everything.filter(product_id=0).exists()
