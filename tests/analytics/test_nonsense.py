"""Nonsense in every address and form of segments, groups, predictions and shoppers: an answer in words, no error."""

from typing import Any
from uuid import UUID

import pytest

from segments.models import Cluster, Clustering, Profile, Segment, ShopperList

NOBODY, PSEUDONYM = "0f8b3c9e-7d51-4f43-9a3e-1c2d3e4f5a6b", "S-7F3A91000000"
SEGMENT = UUID("1f8b3c9e-7d51-4f43-9a3e-1c2d3e4f5a6b")
HUGE = "9" * 25


@pytest.fixture
def world(shop: Any, make_shopper: Any) -> None:
    Profile.objects.create(shopper=make_shopper("elena@mail.example", pseudonym=PSEUDONYM), stage="loyal")
    Segment.objects.create(uuid=SEGMENT, name="Loyal", rule={"field": "stage", "op": "=", "value": "loyal"})
    ShopperList.objects.create(name="Fair", source="uploaded")
    clustering = Clustering.objects.create(n_clusters=1, criterion="silhouette", n_shoppers=1)
    Cluster.objects.create(clustering=clustering, number=1, size=1)


@pytest.mark.parametrize(
    "address",
    [
        "/segments/?page=x", "/segments/?page=-1", f"/segments/?page={HUGE}", "/segments/?page=%00",
        f"/segments/{NOBODY}/", f"/segments/{NOBODY}/know/", "/segments/nonsense/", "/segments/new/?x=%00",
        "/segments/groups/?x=%00", "/segments/predictions/?page=x", "/shoppers/%00/", "/shoppers/S-XX/",
        *(f"/shoppers/{PSEUDONYM}/?before={text}" for text in (
            "y", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00-23:00", "0001-01-01T00:00:00%2B23:00",
            "9999-12-31T23:59:59-23:00", "%00",
        )),
        f"/shoppers/{PSEUDONYM}/?kind=%00", f"/shoppers/{PSEUDONYM}/timeline/?kind=x&before=%00",
        f"/shoppers/{PSEUDONYM}/lists/add/", "/shoppers/%C3%A9/lists/add/",
        *(f"/shoppers/?{name}=%00" for name in ("q", "stage", "segment", "product", "sort", "after", "before")),
        "/shoppers/?after=1~%00", "/shoppers/?q=%25", "/shoppers/?q=%27%22", "/shoppers/?segment=x",
        f"/shoppers/?segment={NOBODY}", f"/shoppers/?segment={SEGMENT}&stage=loyal&q=s-&sort=chance&after=nan~5",
    ],
)  # fmt: skip
def test_nonsense_in_an_address_is_answered(address: str, world: None, marketer: Any, client_for: Any) -> None:
    assert client_for(marketer).get(address).status_code in (200, 404)


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("/segments/new/", {}), ("/segments/new/", {"action": "nonsense"}), ("/segments/new/", {"action": "add-9.9"}),
        ("/segments/new/", {"action": "\x00", "name": "\x00"}),
        ("/segments/new/", {"action": "save", "name": "a\x00b", "kind-0": "all"}),
        ("/segments/count/", {}), ("/segments/count/", {"exact": "1", "kind-0": "\x00"}),
        ("/segments/count/", {"kind-0": "all", "field-0.0": "country", "op-0.0": "=", "value-0.0": "\x00"}),
        (f"/segments/{SEGMENT}/edit/", {}), (f"/segments/{NOBODY}/edit/", {}), (f"/segments/{NOBODY}/duplicate/", {}),
        (f"/segments/{NOBODY}/delete/", {}), ("/segments/starter/", {}), ("/segments/starter/", {"key": "\x00"}),
        ("/segments/groups/1/name/", {}), ("/segments/groups/1/name/", {"name": "x\x00"}),
        ("/segments/groups/1/name/", {"name": "x" * 81}), ("/segments/groups/99/name/", {"name": "x"}),
        ("/segments/groups/99/segment/", {}), (f"/segments/groups/{HUGE}/segment/", {}),
        ("/shoppers/", {}), ("/shoppers/", {"who": "\x00"}), ("/shoppers/", {"who": "a\x00@mail.example"}),
        ("/shoppers/", {"who": "@"}), ("/shoppers/", {"who": "x" * 300}),
        (f"/shoppers/{PSEUDONYM}/reveal/", {}), (f"/shoppers/{PSEUDONYM}/reveal/", {"reason": "\x00 long enough"}),
        (f"/shoppers/{PSEUDONYM}/lists/{NOBODY}/remove/", {}), ("/shoppers/S-NO/lists/add/", {"name": "x"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_nonsense_in_a_form_is_answered(
    address: str, sent: dict[str, str], headers: dict[str, str], world: None, marketer: Any, client_for: Any
) -> None:
    answer = client_for(marketer).post(address, sent, headers=headers)
    assert answer.status_code in (200, 302, 404, 422)
    assert Segment.objects.count() == 1
