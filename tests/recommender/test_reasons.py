"""Sentences that say only what is so, and evidence that the score hangs on."""

from datetime import timedelta

import pytest
from django.utils import timezone

from behaviour.models import Event, Product, StockChange
from recommender.core.algorithms import ALGORITHMS
from recommender.filters import Filters
from recommender.picks import Pick
from recommender.reasons import reason_texts
from recommender.services import top_products
from tests.recommender.conftest import NOW

# Evidence that names products of hers.
EXPLAINS_WITH_ITEMS = ("because", "again", "neighbours", "cart", "looked")
# The same for everybody; and nobody rates anything here.
NOTHING_OF_HERS = {"popular", "trending", "rating_regression"}
# Every neighbour counts alike, so the first product that is named matters only where a neighbour goes with it.
ALL_NAMED = {"next_basket"}


def sentence(because, language="en"):
    return reason_texts([Pick(1, 1.0, "personal", because)], language)[0]


@pytest.mark.parametrize(
    ("because", "english", "chinese"),
    [
        ({"kind": "again", "times": 3, "gap_days": 1.2}, "You reorder it about every day", "您大约每 1 天回购一次"),
        ({"kind": "again", "times": 3, "gap_days": 4}, "You reorder it about every 4 days", "您大约每 4 天回购一次"),
        ({"kind": "again", "times": 3, "gap_days": 20}, "You reorder it about every 3 weeks", "您大约每 3 周回购一次"),
        ({"kind": "again", "times": 2, "gap_days": 152}, "You reorder it about every 5 months",
         "您大约每 5 个月回购一次"),
        ({"kind": "again", "times": 2, "gap_days": 740}, "You reorder it about every 2 years", "您大约每 2 年回购一次"),
        ({"kind": "again", "times": 1, "gap_days": None}, "You bought it before", "您以前买过"),
        ({"kind": "again", "did": ["view"]}, "You looked at it", "您看过它"),
        ({"kind": "again", "did": ["favourite"]}, "You saved it", "您收藏过它"),
        ({"kind": "cart", "in_cart": True}, "It’s in your cart", "它在您的购物车里"),
        ({"kind": "cart", "in_cart": False}, "You put it in your cart", "您曾把它加入购物车"),
        ({"kind": "looked"}, "You looked at it", "您看过它"),
        ({"kind": "looked", "back_at": 1}, "Back in stock", "重新到货"),
        ({"kind": "rated", "n": 3, "stars": 4.4}, "Rated by 3 shoppers", "3 位顾客评过分"),
        ({"kind": "category", "category": "Home > Mugs", "n": 3, "days": 30}, "Popular in Mugs", "Mugs 中的热门商品"),
        (
            {"kind": "trending", "n": 1200, "days": 30},
            "Trending: 1,200 shoppers ordered it in the last 30 days", "正在流行：最近 30 天有 1,200 位顾客下单",
        ),
        ({"kind": "trending", "n": 0, "days": 30}, "A favourite of our shoppers", "顾客们的最爱"),
        ({"kind": "popular", "n": 7, "days": 30}, "Ordered by 7 shoppers in the last 30 days",
         "最近 30 天有 7 位顾客下单"),
        ({"kind": "newest"}, "From our range", "来自我们的商品"),
        ({"kind": "because", "products": [0], "did": ["purchase"]}, "Picked for you", "为您精选"),
        ({}, "Picked for you", "为您精选"),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_each_kind_has_its_sentence_in_both_languages(because, english, chinese):
    assert sentence(because) == english
    assert sentence(because, "zh-hans") == chinese


@pytest.mark.parametrize(
    ("did", "english", "chinese"),
    [
        ("purchase", "Because you bought Mug", "因为您买过 Mug"), ("rating", "Because you liked Mug", "因为您喜欢 Mug"),
        ("cart", "Because you put Mug in your cart", "因为您把 Mug 加入过购物车"),
        ("favourite", "Because you saved Mug", "因为您收藏过 Mug"),
        ("view", "Because you looked at Mug", "因为您看过 Mug"),
        ("email_click", "Because you looked at Mug", "因为您看过 Mug"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_she_did(make_product, did, english, chinese):
    because = {"kind": "because", "products": [make_product(name="Mug").pk], "did": [did]}
    assert sentence(because) == english
    assert sentence(because, "zh-hans") == chinese


def test_what_she_did_is_the_strongest_of_her_events(tastes, train, make_shopper, make_event):
    train("popular")
    (run,) = train("item_cosine")
    shopper, mug = make_shopper(), tastes["products"][0]
    for kind, did in (("view", "view"), ("cart", "cart"), ("view", "cart"), ("purchase", "purchase")):
        make_event(shopper, kind, product=mug)
        picks = top_products([shopper.pk], 5, run=run)[shopper.pk]
        about = [pick.because for pick in picks if pick.because["kind"] == "because"]
        assert about
        assert {(*one["products"], *one["did"]) for one in about} == {(mug.pk, did)}


def test_a_cart_is_only_named_while_it_can_hold_the_product(tastes, train, make_shopper, make_event):
    (run,) = train("item_cosine")
    shopper, mug = make_shopper(), tastes["products"][0]

    def said():
        picks = top_products([shopper.pk], 1, run=run)[shopper.pk]
        assert picks[0].product_id == mug.pk
        return reason_texts(picks, "en")[0]

    old = make_event(shopper, "cart", product=mug, at=NOW - timedelta(days=40))
    assert said() == "You put it in your cart"
    Event.objects.filter(pk=old.pk).update(at=NOW - timedelta(days=2))
    assert said() == "It’s in your cart"
    make_event(shopper, "uncart", product=mug, at=NOW - timedelta(days=1))
    assert said() == "You put it in your cart"


@pytest.mark.parametrize(("stocks", "is_back"), [((0, 5), True), ((3, 5), False), ((5,), False), ((0, 5, 4), True)])
def test_back_in_stock_is_what_the_history_says(make_shopper, make_product, stocks, is_back):
    product, shopper = make_product(stock=stocks[-1]), make_shopper()
    for day, stock in enumerate(stocks):
        StockChange.objects.create(product=product, stock=stock, at=NOW - timedelta(days=9 - day))
    (pick,) = top_products([shopper.pk], 1)[shopper.pk]
    assert ("back_at" in pick.because) is is_back
    assert reason_texts([pick], "en") == ["Back in stock" if is_back else "From our range"]
    # Seen two weeks later it is no news any more.
    (later,) = top_products([shopper.pk], 1, at=timezone.now() + timedelta(days=15))[shopper.pk]
    assert "back_at" not in later.because


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - NOTHING_OF_HERS))
def test_without_its_evidence_a_pick_ranks_lower(tastes, train, make_event, name):
    """Over all shoppers: her events with the first product that is named are taken away, and the model stays."""
    # With more neighbours than there are shoppers of her taste, nothing that she did would matter.
    (run,) = train(name, **({"k": 8} if name == "next_basket" else {}))
    assert run.state == "done", run.error
    at, shoppers = timezone.now(), tastes["shoppers"][:40]
    ids = [shopper.pk for shopper in shoppers]
    filters = Filters(repeats=name == "bought_again")
    before = top_products(ids, 1, at=at, filters=filters, run=run)
    cases = {
        shopper: (row[0], row[0].because["products"][: None if name in ALL_NAMED else 1])
        for shopper, row in before.items()
        if row and row[0].because.get("kind") in EXPLAINS_WITH_ITEMS and row[0].because.get("products")
    }
    assert len(cases) >= 30
    for shopper, (_pick, named) in cases.items():
        assert Event.objects.filter(shopper=shopper, product__in=named).delete()[0] > 0
    after = top_products(list(cases), Product.objects.count(), at=at, filters=filters, run=run)
    lowered = 0
    for shopper, (pick, _named) in cases.items():
        found = [other for other in after[shopper] if other.product_id == pick.product_id and other.level == pick.level]
        place = after[shopper].index(found[0]) if found else 0
        lowered += not found or found[0].score < pick.score or place > 0
    assert lowered >= 0.9 * len(cases), f"{lowered} of {len(cases)}"
