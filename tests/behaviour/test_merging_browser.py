"""Merged shoppers in a real browser: the empty list, a merge and its way back, merging by hand on a shopper's page."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from behaviour import merging
from behaviour.models import Merge, Shopper
from tests.browser import DIAGONAL, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@DIAGONAL
def test_a_merge_is_listed_and_undone(
    visit: Visit, admin: Any, make_shopper: Any, make_event: Any, width: int, theme: str
) -> None:
    watched = visit(reverse("behaviour:merges"), admin, width=width, theme=theme)
    expect(watched.page.get_by_role("heading", name="No shopper was merged yet")).to_be_visible()
    watched.check()
    visitor, user = make_shopper(external_id="visitor-a"), make_shopper(external_id="U1")
    make_event(visitor, "view")
    merging.join([("visitor-a", "U1")])
    watched.open(reverse("behaviour:merges"))
    watched.check()
    watched.page.get_by_role("button", name=f"Undo the merge of {visitor.pseudonym}").click()
    dialog = watched.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Take {visitor.pseudonym} and {user.pseudonym} apart?")
    watched.check()
    dialog.get_by_role("button", name="Undo the merge").click()
    expect(watched.page.get_by_text("are two shoppers again")).to_be_visible()
    watched.check()
    assert Shopper.objects.count() == 2


@DIAGONAL
def test_two_shoppers_are_merged_and_taken_apart_on_her_page(
    visit: Visit, admin: Any, make_shopper: Any, make_event: Any, width: int, theme: str
) -> None:
    kept, other = make_shopper(external_id="U1"), make_shopper(external_id="U2")
    make_event(other, "view")
    watched = visit(reverse("analytics:shopper", args=[kept.pseudonym]), admin, width=width, theme=theme)
    page = watched.page
    watched.check()
    page.get_by_role("button", name="Merge with …").click()
    page.get_by_label("Exact id in the shop, or exact email address").fill("U2")
    watched.check()
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_text(f"{other.pseudonym} is {kept.pseudonym} from now on.")).to_be_visible()
    watched.check()
    page.get_by_role("button", name=f"Undo the merge of {other.pseudonym}").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo the merge").click()
    expect(page.get_by_text("Nobody else turned out to be her.")).to_be_visible()
    assert Merge.objects.get().undone_at
