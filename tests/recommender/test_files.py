"""A shop's files become codes, without a database."""

import gzip

import numpy as np
import pytest

from mailai.errors import InputError
from recommender import files
from recommender.core.interactions import KINDS, PURCHASE
from recommender.core.splitting import split_by_time, whole

RATINGS = """user_id,item_id,event,timestamp,rating
b,y,rating,2026-01-02,2
a,x,rating,2026-01-01,5
a,y,rating,2026-01-03,4
a,z,rating,2026-01-05,1
b,x,rating,2026-01-11,3
a,w,rating,2026-01-10,5
b,w,rating,2026-01-04,
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="events.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(path)

    return write


def test_a_rating_of_few_stars_is_kept_for_predicting_stars_and_never_counts_as_liking(write):
    log = files.read(write(RATINGS, "ratings.csv.gz")).log
    assert log.stars.tolist() == [5, 2, 4, 1, 5, 3]
    assert (log.kinds == PURCHASE).tolist() == [True, False, True, False, True, False]
    assert log.liked.tolist() == [True, False, True, False, True, False]
    # The split falls into the time of what was liked, 1 to 10 January.
    split = split_by_time(log)
    assert split.at == pytest.approx(log.days[0] + 0.8 * 9)
    assert split.train.stars.tolist() == [5, 4]
    assert sorted(split.rated.stars) == [1, 2, 4, 5]
    assert split.held.stars.tolist() == [5, 3]
    assert [len(whole(log).users), len(whole(log, disliked=True).users)] == [3, 6]


def test_beside_orders_a_good_rating_is_a_rating(write):
    log = files.read(write(RATINGS + "a,x,purchase,2026-01-12,\n")).log
    assert [KINDS[kind] for kind in log.kinds] == ["rating"] * 6 + ["purchase"]
    assert np.isnan(log.stars[-1])


def test_products_stand_in_the_order_of_their_codes_and_say_the_price_that_the_event_does_not(write):
    events = write(
        "user_id,item_id,event,timestamp,price,country\n"
        "u2,mug,purchase,2026-01-01 10:00:00,5.5,France\nu1,bowl,view,2026-01-02T10:00:00+02:00,,\n"
        "u2,bowl,view,2026-01-03T10:00:00Z,,Spain\nu2,cup,view,2026-01-04,,\n"
    )
    products = write(
        "item_id,name,price,category,attributes\n"
        "zebra,Zebra,9,animal,striped\nmug,Mug,7,kitchen,\nbowl,Bowl,3,kitchen,blue deep\n", "products.csv",
    )  # fmt: skip
    shop = files.read(events, products)
    assert list(shop.items.ids) == ["bowl", "cup", "mug", "zebra"]
    assert shop.log.n_items == 4
    assert shop.catalogue.texts == ["Bowl blue deep", "", "Mug", "Zebra striped"]
    assert [shop.catalogue.category_names[code] if code >= 0 else "" for code in shop.catalogue.categories] == [
        "kitchen", "", "kitchen", "animal",
    ]  # fmt: skip
    np.testing.assert_array_equal(shop.catalogue.prices, [3, np.nan, 7, 9])
    np.testing.assert_array_equal(shop.prices, [5.5, 3, 3, np.nan])
    assert list(shop.users.ids) == ["u1", "u2"]
    assert shop.countries.tolist() == ["", "Spain"]
    assert shop.log.days[1] - shop.log.days[0] == pytest.approx(22 / 24)


def test_without_a_clock_the_position_is_the_order(write):
    shop = files.read(write("user_id,item_id,event,position\na,x,purchase,1\na,y,purchase,0\n"))
    assert not shop.has_clock
    assert shop.items.ids[shop.log.items].tolist() == ["y", "x"]


def test_a_product_file_without_ids_is_refused(write):
    events = write("user_id,item_id,event,position\na,x,purchase,1\n")
    with pytest.raises(InputError, match="no column item_id"):
        files.read(events, write("name\nMug\n", "products.csv"))
    with pytest.raises(InputError, match="There is no file"):
        files.read(events, "nowhere.csv")


HEAD = "user_id,item_id,event,timestamp\n"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + HEAD + "a,x,purchase,2026-01-01\n",
        HEAD.replace("\n", "\r\n") + "a,x,purchase, 2026-01-01 00:00 \r\n",
        HEAD + "a,x,purchase,2026-01-01T02:00:00+02:00\n",
        HEAD + '"a",x,purchase,1767225600\n\n',
        HEAD + ",x,purchase,\na,,view,\na,x,purchase,2026-01-01\na,x,uncart,2026-01-01\n",
    ],
)
def test_a_file_may_be_written_in_several_ways(write, content):
    shop = files.read(write(content))
    assert (shop.users.ids.tolist(), shop.items.ids.tolist()) == (["a"], ["x"])
    assert shop.log.days.tolist() == [20454]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (HEAD + "a,x,purchase,2026-01-01,9,9\n", "can't be read"),
        ("user_id,user_id ,item_id,event,timestamp\na,a,x,purchase,2026-01-01\n", "can't be read"),
        (HEAD + "a,x,purchase,\n", "neither a time"),
        ("user_id,item_id,event,position\na,x,purchase,inf\n", "neither a time"),
    ],
)
def test_a_file_that_says_something_else_is_refused(write, content, sentence):
    with pytest.raises(InputError, match=sentence):
        files.read(write(content))
