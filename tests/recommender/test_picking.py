"""Picking for a mail: filters, the ladder, thin data, draws."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from behaviour import consent
from behaviour.models import Event, Product
from mailai.errors import InputError
from recommender import artefacts, serving, shown
from recommender.filters import Filters
from recommender.services import top_products
from tests.recommender.conftest import NOW


@pytest.fixture(params=["few", "many"])
def way(request, monkeypatch):
    """For a few shoppers the candidates are looked up, for many the whole stock: both must answer the same."""
    monkeypatch.setattr(serving, "FEW", 1000 if request.param == "few" else 0)


def products_of(picks):
    return [pick.product_id for pick in picks]


def levels(picks):
    return [pick.level for pick in picks]


@pytest.mark.usefixtures("way")
def test_filters_hold_on_every_rung(tastes, train):
    train("popular", "user_based")
    shoppers = [shopper.pk for shopper in tastes["shoppers"]]
    by_id = Product.objects.in_bulk()
    filters = Filters(
        categories=("Range > Taste 0", "Range > Taste 1", "Range > Taste 2"), not_categories=("Range > Taste 2",),
        lowest_price=Decimal(7), highest_price=Decimal(22), per_category=3,
    )  # fmt: skip
    for row in top_products(shoppers, 6, filters=filters).values():
        found = [by_id[product] for product in products_of(row)]
        # Three of each of two categories are left; only who bought too much of one gets fewer.
        assert len(set(products_of(row))) == len(row) >= 4
        assert all(7 <= product.price <= 22 for product in found)
        categories = [product.category for product in found]
        assert set(categories) <= {"Range > Taste 0", "Range > Taste 1"}
        assert max(categories.count(category) for category in categories) <= 3


@pytest.mark.usefixtures("way")
def test_a_path_of_categories_stands_for_what_is_below_it(tastes):
    shopper = tastes["shoppers"][0].pk
    assert len(top_products([shopper], 40, filters=Filters(categories=("Range",)))[shopper]) > 20
    assert top_products([shopper], 40, filters=Filters(categories=("Rang",)))[shopper] == []
    assert top_products([shopper], 40, filters=Filters(not_categories=("Range",)))[shopper] == []


@pytest.mark.usefixtures("way")
def test_repeats_come_only_when_wanted(tastes, train):
    train("popular")
    shopper = tastes["shoppers"][0]
    bought = set(Event.objects.filter(shopper=shopper).values_list("product_id", flat=True))
    without = top_products([shopper.pk], 40)[shopper.pk]
    assert set(products_of(without)) == {product.pk for product in tastes["products"]} - bought
    wanted = top_products([shopper.pk], 40, filters=Filters(repeats=True))[shopper.pk]
    assert bought <= set(products_of(wanted))


@pytest.mark.usefixtures("way")
def test_what_the_last_mails_showed_rests(tastes, train, monkeypatch):
    train("popular", "user_based")
    one, other = (shopper.pk for shopper in tastes["shoppers"][:2])
    before = top_products([one, other], 3)
    asked = []

    def source(shopper_ids, n_mails, at):
        asked.append((sorted(shopper_ids), n_mails))
        return np.array([(one, pick.product_id) for pick in before[one]], np.int64)

    monkeypatch.setattr(shown, "_sources", [source])
    after = top_products([one, other], 3, filters=Filters(rest_mails=2))
    assert asked == [(sorted([one, other]), 2)]
    assert not set(products_of(before[one])) & set(products_of(after[one]))
    assert products_of(after[other]) == products_of(before[other])


@pytest.mark.parametrize(
    "wrong",
    [
        {"lowest_price": Decimal(5), "highest_price": Decimal(4)}, {"lowest_price": Decimal(-1)},
        {"per_category": -1}, {"rest_mails": 1001}, {"exploration": 1.5}, {"exploration": float("nan")},
    ],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        Filters(**wrong)


def test_filters_come_back_from_what_a_campaign_keeps():
    filters = Filters(repeats=True, categories=("A > B",), lowest_price=Decimal("1.50"), per_category=2, rest_mails=3)
    assert Filters.from_json(filters.to_json()) == filters
    assert Filters().to_json() == {}
    with pytest.raises(InputError, match="no price"):
        Filters.from_json({"lowest_price": "cheap"})


@pytest.mark.usefixtures("way")
def test_the_ladder_leads_from_personal_to_newest(tastes, train, make_product):
    train("popular", "user_based")
    fresh = make_product()
    shopper = tastes["shoppers"][0]
    picks = top_products([shopper.pk], 41)[shopper.pk]
    assert list(dict.fromkeys(levels(picks))) == ["personal", "trending", "newest"]
    assert picks[-1].product_id == fresh.pk


@pytest.mark.usefixtures("way")
def test_what_trends_in_her_category_comes_before_what_trends(tastes, train, make_shopper, make_event, make_product):
    train("popular", "user_based")
    newcomer = make_shopper()
    # Nobody bought this one, so no model knows whom it suits.
    unknown = make_product(category="Range > Taste 2")
    make_event(newcomer, "view", product=unknown)
    picks = top_products([newcomer.pk], 5)[newcomer.pk]
    assert levels(picks) == ["category"] * 5
    assert {Product.objects.get(pk=pick.product_id).category for pick in picks} == {"Range > Taste 2"}
    assert picks[0].because["category"] == "Range > Taste 2"


@pytest.mark.usefixtures("way")
def test_neighbours_of_what_she_looked_at_come_before_her_category(tastes, train, make_shopper, make_event):
    """A model that was trained before the product came knows nothing of it, the newest neighbours do."""
    personal = train("popular", "user_based")[1]
    fresh = Product.objects.create(sku="fresh", name="Fresh", image="products/a.png", category="Range > New")
    for shopper in tastes["shoppers"][::4]:
        make_event(shopper, product=fresh, at=NOW)
    train("item_bm25")
    looker = make_shopper()
    make_event(looker, "view", product=fresh)
    picks = top_products([looker.pk], 3, run=personal)[looker.pk]
    assert levels(picks) == ["similar"] * 3
    # What she looked at, and what its buyers bought.
    assert set(products_of(picks)) <= {fresh.pk, *(product.pk for product in tastes["products"][:10])}
    assert {(*pick.because["products"], *pick.because["did"]) for pick in picks} == {(fresh.pk, "view")}


@pytest.mark.usefixtures("way")
def test_a_category_with_few_orders_gives_way_to_what_the_whole_shop_buys(
    make_shopper, make_event, make_product, train
):
    star, rare = make_product(category="Mugs"), make_product(category="Lamps")
    for _ in range(60):
        make_event(make_shopper(), product=star, at=NOW - timedelta(days=1))
    make_event(make_shopper(), product=rare, at=NOW - timedelta(days=1))
    train("popular")
    run = train("user_based")[0]
    looker = make_shopper()
    make_event(looker, "view", product=make_product(category="Lamps", image=""))
    picks = top_products([looker.pk], 2, run=run)[looker.pk]
    assert [(pick.product_id, pick.level) for pick in picks] == [(star.pk, "trending"), (rare.pk, "category")]
    # One order in the category: (0 + 25 * share) / 26 for the star, (1 * 1 + 25 * share) / 26 for the lamp.
    artefact = artefacts.load(run)
    shares = artefact.trending.item_scores / artefact.trending.item_scores.sum()
    stars, lamps = shares[artefact.products.codes([star.pk, rare.pk])]
    assert [pick.score for pick in picks] == pytest.approx([25 * stars / 26, (1 + 25 * lamps) / 26])


def test_who_refused_gets_nothing_by_category_either(tastes, train, make_shopper, make_event):
    train("popular", "user_based")
    shopper = make_shopper()
    make_event(shopper, "view", product=tastes["products"][5])
    consent.withdraw([shopper.pk], purpose="profiling", source="test", at=timezone.now())
    assert set(levels(top_products([shopper.pk], 5)[shopper.pk])) == {"trending"}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("n_events", [0, 1, 2])
@pytest.mark.parametrize("trained", [True, False])
def test_hardly_any_events_are_enough(tastes, train, make_shopper, make_event, n_events, trained):
    if trained:
        train("popular", "user_based")
    shopper = make_shopper()
    for product in tastes["products"][:n_events]:
        make_event(shopper, "view", product=product)
    picks = top_products([shopper.pk], 4)[shopper.pk]
    assert len(set(products_of(picks))) == 4
    assert picks[0].level == ("personal" if trained and n_events else "trending" if trained else "popular")


@pytest.mark.usefixtures("way")
def test_a_shop_of_one_product(make_shopper, make_product, make_event, train):
    only, buyer, other = make_product(), make_shopper(), make_shopper()
    make_event(buyer, product=only, at=NOW - timedelta(days=1))
    train("popular", "user_based")
    picks = top_products([buyer.pk, other.pk], 3)
    assert picks[buyer.pk] == []
    assert products_of(picks[other.pk]) == [only.pk]
    assert products_of(top_products([buyer.pk], 3, filters=Filters(repeats=True))[buyer.pk]) == [only.pk]


@pytest.mark.usefixtures("way")
def test_no_product_and_no_event_is_no_crash(make_shopper):
    shopper = make_shopper()
    assert top_products([shopper.pk], 3) == {shopper.pk: []}
    assert top_products([shopper.pk], 0) == {shopper.pk: []}


@pytest.mark.usefixtures("way")
def test_a_product_deleted_after_training_is_neither_picked_nor_named(tastes, train):
    train("popular", "user_based")
    shoppers = [shopper.pk for shopper in tastes["shoppers"]]
    before = top_products(shoppers, 2)
    gone = {before[shoppers[0]][0].product_id, before[shoppers[0]][0].because["products"][0]}
    Event.objects.filter(product__in=gone).delete()
    Product.objects.filter(pk__in=gone).delete()
    after = top_products(shoppers, 2)
    assert not gone & {product for row in after.values() for product in products_of(row)}
    named = {product for row in after.values() for pick in row for product in pick.because.get("products", [])}
    assert not gone & named


@pytest.mark.usefixtures("way")
def test_draws_are_logged_seeded_and_off_by_default(tastes, train):
    train("popular", "user_based")
    shoppers, at = [shopper.pk for shopper in tastes["shoppers"]], timezone.now()
    plain = top_products(shoppers, 3, at=at)
    assert {pick.probability for row in plain.values() for pick in row} == {1.0}
    tried = Filters(exploration=0.5, decision=7)
    drawn = top_products(shoppers, 3, at=at, filters=tried)
    assert drawn != plain
    assert drawn == top_products(shoppers, 3, at=at + timedelta(milliseconds=1), filters=tried)
    assert drawn[shoppers[3]] == top_products([shoppers[3]], 3, at=at, filters=tried)[shoppers[3]]
    other_seed = top_products(shoppers, 3, at=at, filters=Filters(exploration=0.5, decision=8))
    assert drawn != other_seed
    first = [row[0] for row in drawn.values()]
    best = [row[0].product_id for row in plain.values()]
    for pick, product in zip(first, best, strict=True):
        # The pool holds what she may get, 29 to 35 products.
        low, high = (0.5 + 0.5 / 40, 0.5 + 0.5 / 20) if pick.product_id == product else (0.5 / 40, 0.5 / 20)
        assert low <= pick.probability <= high
    n_best = sum(pick.product_id == product for pick, product in zip(first, best, strict=True))
    # 80 draws with probability 0.52: 41 and a standard deviation of 4.5.
    assert 24 <= n_best <= 59


@pytest.mark.usefixtures("way")
def test_draws_give_new_products_a_chance(tastes, train, make_product):
    train("popular", "user_based")
    fresh = make_product()
    shoppers = [shopper.pk for shopper in tastes["shoppers"]]
    drawn = top_products(shoppers, 3, filters=Filters(exploration=1.0, decision=1))
    assert any(fresh.pk in products_of(row) for row in drawn.values())


def test_few_and_many_get_the_same(tastes, train, monkeypatch):
    train("popular", "user_based")
    ids, at = [shopper.pk for shopper in tastes["shoppers"][:6]], timezone.now()
    few = top_products(ids, 12, at=at)
    monkeypatch.setattr(serving, "FEW", 0)
    assert top_products(ids, 12, at=at) == few


def test_stars_of_few_and_of_many_decide_what_expected_stars_picks(tastes, train):
    """Everybody rates four products of her taste with five stars and four of another one with one; two are left."""
    Event.objects.all().delete()
    ratings = []
    for number, shopper in enumerate(tastes["shoppers"]):
        loved, hated = (number % 2, 1 - number % 2)
        for taste, stars in ((loved, 5), (hated, 1)):
            for place in range(10):
                if (place + number) % 5 < 4:
                    ratings.append(
                        Event(
                            shopper=shopper,
                            product=tastes["products"][taste * 10 + place],
                            kind="rating",
                            amount=stars,
                            at=NOW - timedelta(days=1 + place),
                            dedupe_key=uuid4(),
                        )
                    )
    Event.objects.bulk_create(ratings)
    (run,) = train("rating_regression")
    for number, shopper in enumerate(tastes["shoppers"][:6]):
        known = set(Event.objects.filter(shopper=shopper).values_list("product_id", flat=True))
        loved = {one.pk for one in tastes["products"][number % 2 * 10 : number % 2 * 10 + 10]}
        unseen = [pick for pick in top_products([shopper.pk], 20, run=run)[shopper.pk] if pick.product_id not in known]
        assert {unseen[0].product_id, unseen[1].product_id} == loved - known
        assert levels(unseen[:2]) == ["personal"] * 2
