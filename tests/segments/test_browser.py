"""The builder in a real browser: few clicks, keys instead of dragging, groups in groups."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from campaigns.models import Campaign, Message
from segments import estimate, profiles, sampling
from segments.models import Prediction, PredictionRun, Segment
from tests.browser import DIAGONAL, Visit, follow

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def predict() -> Callable[..., Prediction]:
    """Write what is expected of a shopper."""

    def make(shopper: Any, **fields: Any) -> Prediction:
        run = PredictionRun.objects.first() or PredictionRun.objects.create(as_of=timezone.now(), state="done")
        names = [field.name for field in Prediction._meta.fields if field.get_internal_type() == "FloatField"]
        plain = dict.fromkeys(names, 0.1) | {"next_category_chance": None}
        ranks = dict.fromkeys(("value_percentile", "order_percentile", "churn_percentile"), 50)
        return Prediction.objects.create(shopper=shopper, run=run, **plain | ranks | fields)

    return make


@pytest.fixture
def coats(shop: Any, make_shopper: Any, make_product: Any, make_event: Any, predict: Any) -> list[Any]:
    """Five shoppers, of whom the first is all that the example asks for; each other lacks one thing."""
    coat, mug = make_product(category="Coats", image=""), make_product(category="Mugs", image="")
    campaign = Campaign.objects.create(name="Autumn", state="finished", planned_at=timezone.now())
    shoppers = []
    for lacks in ("", "coats", "twice", "opened", "leaves"):
        shopper = make_shopper(f"{lacks or 'all'}@mail.example")
        for n in range(1 if lacks == "twice" else 2):
            product = mug if lacks == "coats" else coat
            make_event(shopper, at=timezone.now() - timedelta(days=10 + n), product=product, order_ref=f"o{n}")
        opened = None if lacks == "opened" else timezone.now() - timedelta(days=3)
        sent = timezone.now() - timedelta(days=4)
        Message.objects.create(
            campaign=campaign, shopper=shopper, state="sent", sent_at=sent, due_at=sent, opened_at=opened,
            probability=1, draw=0.5,
        )  # fmt: skip
        predict(shopper, churn_chance=0.1 if lacks == "leaves" else 0.8)
        shoppers.append(shopper)
    profiles.refresh_profiles(everybody=True)
    return shoppers


class Hand:
    """Counts what a hand does; what is typed is free."""

    def __init__(self, page: Any) -> None:
        self.page, self.clicks = page, 0

    def click(self, locator: Any, *, recounts: bool = True) -> None:
        """Click, and wait for the count that a changed rule asks for."""
        self.clicks += 1
        if not recounts:
            follow(locator)
            return
        with self.page.expect_response(lambda answer: answer.url.endswith("/count/")):
            locator.click()


def shown(page: Any, count: str) -> None:
    """Wait until the live count says so."""
    expect(page.locator("#reach .mx-big")).to_have_text(count)


def test_coats_twice_opened_and_likely_to_leave_takes_five_clicks(
    coats: list[Any], marketer: Any, visit: Visit
) -> None:
    seen = visit(reverse("segments:list"), marketer)
    page, hand = seen.page, Hand(seen.page)
    hand.click(page.get_by_role("link", name="New segment").first, recounts=False)
    for name in ("Opened an email this month", "Likely to leave", "Ordered twice in 90 days"):
        hand.click(page.get_by_role("button", name=name))
    # The new condition holds the focus where it can be narrowed: there the category is typed. One letter chooses it;
    # when more than a second passes between two, a select begins anew, and the "a" of Coats chooses "any category".
    expect(page.locator("#category-0\\.2")).to_be_focused()
    page.keyboard.press("C")
    shown(page, "1")
    assert hand.clicks <= 5
    page.get_by_text(coats[0].pseudonym).wait_for()
    assert page.locator("#alone-0\\.2").inner_text() == "3"
    page.fill("#segment-name", "Coats, about to leave")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("is saved").wait_for()
    assert hand.clicks <= 5
    assert Segment.objects.get().rule == {
        "all": [
            {"mail": "opened", "within": {"days": 30}},
            {"field": "churn_chance", "op": ">=", "value": 0.5},
            {
                "did": "purchase",
                "times": {"op": ">=", "n": 2},
                "within": {"days": 90},
                "where": {"category": ["Coats"]},
            },
        ]
    }  # fmt: skip
    seen.check()


def test_what_a_swap_brings_listens_as_soon_as_it_is_there(coats: list[Any], marketer: Any, visit: Visit) -> None:
    """On a busy machine the shortest timer is late: what is chosen at once in the new conditions counts as well."""
    seen = visit(reverse("segments:list"), marketer)
    page, hand = seen.page, Hand(seen.page)
    page.add_init_script("const timer = setTimeout; setTimeout = (f, ms, ...a) => timer(f, ms === 1 ? 3000 : ms, ...a)")
    seen.open(reverse("segments:new"))
    hand.click(page.get_by_role("button", name="Ordered twice in 90 days"))
    shown(page, "4")
    category = page.locator("#category-0\\.0")
    for letter, value in (("C", "Coats"), ("M", "Mugs")):
        category.press(letter)
        category.locator(f"option[value={value}][selected]").wait_for(state="attached")
    shown(page, "1")


def test_a_group_with_not_inside_a_group(coats: list[Any], marketer: Any, visit: Visit) -> None:
    seen = visit(reverse("segments:new"), marketer)
    page, hand = seen.page, Hand(seen.page)
    hand.click(page.locator("#add-group-0"))
    hand.click(page.locator("#add-not-0\\.0"))
    with page.expect_response(lambda answer: answer.url.endswith("/count/")):
        page.select_option("#category-0\\.0\\.0", "Mugs")
    page.select_option("#what-0\\.0\\.1\\.0", "mail:opened")
    # Who ordered mugs, or did not open: one each.
    shown(page, "2")
    assert page.locator("#alone-0\\.0\\.1").inner_text() == "1"
    assert (
        "or not" in page.locator("#sentence").inner_text() or "did not open" in page.locator("#sentence").inner_text()
    )
    page.fill("#segment-name", "Mugs or silent")
    hand.click(page.get_by_role("button", name="Save"), recounts=False)
    page.get_by_text("is saved").wait_for()
    (part,) = Segment.objects.get().rule["all"]
    assert [next(iter(one)) for one in part["any"]] == ["did", "not"]
    seen.check()


def test_conditions_move_by_buttons_and_by_keys(coats: list[Any], marketer: Any, visit: Visit) -> None:
    rule = {"all": [{"did": "purchase"}, {"did": "view"}, {"field": "stage", "op": "=", "value": "lead"}]}
    segment = Segment.objects.create(name="Three", rule=rule)
    seen = visit(reverse("segments:detail", args=[segment.uuid]), marketer)
    page = seen.page

    def whats() -> list[str]:
        return page.eval_on_selector_all("select[name^=what-]", "all => all.map(one => one.value)")

    page.focus("#often-0\\.0")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator('select[name="what-0.0"]')).to_have_value("did:view")
    assert whats() == ["did:view", "did:purchase", "field:stage"]
    page.get_by_role("button", name="Move up").last.click()
    expect(page.locator('select[name="what-0.1"]')).to_have_value("field:stage")
    page.locator("#remove-0\\.2").focus()
    page.keyboard.press("Enter")
    expect(page.locator("select[name^=what-]")).to_have_count(2)
    assert whats() == ["did:view", "field:stage"]
    seen.check()


@DIAGONAL
def test_every_kind_of_condition_suits_everybody(
    coats: list[Any], marketer: Any, visit: Visit, width: int, theme: str
) -> None:
    other = Segment.objects.create(name="Other", rule={"did": "purchase"})
    steps = {"first": {"did": "view"}, "then": {"did": "purchase"}, "happened": False, "days": 3, "same_product": True}
    where = {"category": ["Coats", "Mugs"], "product": ["A"], "amount": {"op": "between", "value": [1, 9]}}
    parts = [
        {"sequence": steps, "within": {"days": 30}},
        {"did": "purchase", "where": where, "within": {"from": "2026-01-01", "to": "2026-06-30"}},
        {"mail": "clicked", "times": {"op": "=", "n": 0}},
        {"anniversary": "first_order", "from_days": 0, "to_days": 7},
        {"any": [{"segment": str(other.uuid)}, {"not": {"field": "country", "op": "unknown"}}]},
        {"field": "order_chance", "op": "between", "value": [0.2, 0.5]},
    ]
    segment = Segment.objects.create(name="All kinds", rule={"all": parts})
    seen = visit(reverse("segments:detail", args=[segment.uuid]), marketer, width=width, theme=theme)
    seen.check()


def test_a_large_shop_gets_an_estimate_first_and_then_the_exact_count(
    coats: list[Any], marketer: Any, visit: Visit, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sampling, "SIZE", 3)
    monkeypatch.setattr(estimate, "ENOUGH_HITS", 0)
    sampling.draw(size=3)
    seen = visit(reverse("segments:new"), marketer)
    page = seen.page
    shown(page, "5")
    assert "exact" in page.locator("#reach").inner_text()
    with page.expect_response(lambda answer: answer.url.endswith("/count/")) as first:
        page.get_by_role("button", name="Likely to leave").click()
    assert "≈" in first.value.text()
    shown(page, "4")
    seen.check()


def test_an_uploaded_list_becomes_a_condition(
    shop: Any, marketer: Any, make_shopper: Any, visit: Visit, tmp_path: Any
) -> None:
    for n in range(5):
        make_shopper(f"p{n}@mail.example", external_id=f"c-{n}")
    file = tmp_path / "Guests of the fair.csv"
    file.write_text(
        "Email,Came\np1@mail.example,yes\np3@mail.example,no\nelena@else.example,yes\np1@mail.example,yes\n"
    )
    seen = visit(reverse("segments:list"), marketer)
    page = seen.page
    page.get_by_role("link", name="Lists").click()
    follow(page.get_by_role("link", name="Upload a list"))
    page.set_input_files("#list-file", file)
    page.get_by_text("Guests of the fair.csv").wait_for()
    page.get_by_role("button", name="Make the list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Guests of the fair")
    expect(page.locator(".mx-big")).to_have_text("2")
    page.get_by_text("1 row names no shopper").wait_for()
    page.get_by_text("e••••@else.example").wait_for()
    seen.check()
    seen.open(reverse("segments:new"))
    with page.expect_response(lambda answer: answer.url.endswith("/count/")):
        page.locator("#add-condition-0").click()
    with page.expect_response(lambda answer: answer.url.endswith("/count/")):
        page.select_option("#what-0\\.0", "list:")
    page.select_option("select[name='uuid-0.0']", label="Guests of the fair")
    shown(page, "2")
    page.fill("#segment-name", "Guests")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is saved").wait_for()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Freeze as a list").click()
    page.get_by_text("The list keeps 2 shoppers, whatever the segment does").wait_for()
    seen.check()
    page.get_by_role("link", name="Lists").click()
    follow(page.get_by_role("link", name="Guests of the fair"))
    page.get_by_role("button", name="Delete").first.click()
    expect(page.get_by_role("button", name="Keep")).to_be_focused()
    page.locator("#delete-list").get_by_role("button", name="Delete").click()
    page.get_by_text("is used by the rule of “Guests”").wait_for()
    seen.check()


def test_enter_renames_in_the_name_and_counts_in_a_condition(shop: Any, marketer: Any, visit: Visit) -> None:
    segment = Segment.objects.create(name="Old", rule={"all": [{"field": "n_orders", "op": ">=", "value": 2}]})
    seen = visit(reverse("segments:detail", args=[segment.uuid]), marketer)
    page = seen.page
    page.fill("[name='value-0.0']", "3")
    expect(page.get_by_text("Your changes are not saved yet.")).to_be_visible()
    page.press("[name='value-0.0']", "Enter")
    page.wait_for_load_state("networkidle")
    segment.refresh_from_db()
    assert segment.rule["all"][0]["value"] == 2
    seen.open(reverse("segments:detail", args=[segment.uuid]))
    page.locator("summary[aria-label='Rename']").click()
    page.fill("#segment-name", "New")
    page.press("#segment-name", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("New")
    seen.check()
