"""The shell in a real browser: quiet, on its own host, not too wide, usable by keyboard and by everybody."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from mailai.accounts.models import ApiKey
from tests.browser import DIAGONAL, EVERY_WAY, PHONE, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def _with_styleguide(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.mailai.styleguide_urls"


@DIAGONAL
def test_login_is_fit_for_everybody(visit: Visit, width: int, theme: str) -> None:
    visit("/accounts/login/", width=width, theme=theme).check()


@EVERY_WAY
@pytest.mark.usefixtures("_with_styleguide")
def test_every_component_is_fit_for_everybody(visit: Visit, admin: Any, width: int, theme: str) -> None:
    watched = visit("/styleguide/", admin, width=width, theme=theme)
    for chart in watched.page.locator(".mx-chart").all():
        chart.scroll_into_view_if_needed()
    expect(watched.page.locator(".mx-chart.js-plotly-plot")).to_have_count(2)
    watched.check()


@pytest.mark.usefixtures("_with_styleguide")
def test_the_palette_opens_filters_and_closes_by_keyboard(visit: Visit, admin: Any) -> None:
    watched = visit("/styleguide/", admin)
    page = watched.page
    page.keyboard.press("Control+k")
    assert page.locator("#mx-cmd").is_visible()
    page.keyboard.type("audit")
    assert page.locator("#mx-cmd li[aria-selected=true]").inner_text().strip() == "Audit log"
    watched.check()
    page.keyboard.press("Escape")
    assert not page.locator("#mx-cmd").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("audit")
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit/**")


@pytest.mark.usefixtures("_with_styleguide")
def test_single_letters_rest_while_typing_and_can_be_switched_off(visit: Visit, admin: Any) -> None:
    page = visit("/styleguide/", admin).page
    page.locator("#a1").fill("")
    page.keyboard.type("?")
    assert page.locator("#a1").input_value() == "?"
    assert not page.locator("#mx-keys").is_visible()
    page.locator("#a1").blur()
    page.keyboard.press("?")
    assert page.locator("#mx-keys").is_visible()
    page.locator("[data-mx-letters]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert not page.locator("#mx-keys").is_visible()


@pytest.mark.usefixtures("_with_styleguide")
def test_the_theme_is_kept_and_redraws_the_charts(visit: Visit, admin: Any) -> None:
    watched = visit("/styleguide/", admin)
    page = watched.page
    page.wait_for_selector(".mx-chart.js-plotly-plot path.js-line")
    line = page.locator(".mx-chart path.js-line").last
    before = line.evaluate("e => getComputedStyle(e).stroke")
    page.locator("[data-mx-theme]").first.click()
    expect(page.locator(".mx-chart path.js-line").last).not_to_have_css("stroke", before)
    page.reload()
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    watched.check()


@pytest.mark.usefixtures("_with_styleguide")
def test_a_chart_can_be_read_as_a_table_and_taken_along(visit: Visit, admin: Any) -> None:
    page = visit("/styleguide/", admin).page
    card = page.locator(".mx-chart-card").first
    card.locator("[data-mx-table]").click()
    assert card.locator("td").first.inner_text() == "6.3"
    assert card.locator(".mx-chart").is_hidden()
    card.locator("[data-mx-table]").click()
    for button, ending, start in [
        ("[data-mx-csv]", ".csv", b"\xef\xbb\xbfWeek,Got email,Control"),
        ("[data-mx-png]", ".png", b"\x89PNG"),
    ]:
        card.locator("[data-bs-toggle=dropdown]").click()
        with page.expect_download() as download:
            card.locator(button).click()
        assert download.value.suggested_filename == f"sample-lift{ending}"
        assert download.value.path().read_bytes().startswith(start)


@pytest.mark.usefixtures("_with_styleguide")
def test_a_dialog_starts_on_the_harmless_button(visit: Visit, admin: Any) -> None:
    watched = visit("/styleguide/", admin)
    watched.page.locator("[data-mx-open='#sample-erase']").click()
    assert watched.page.evaluate("document.activeElement.textContent.trim()") == "Keep"
    watched.check()


@pytest.mark.usefixtures("_with_styleguide")
def test_the_phone_reaches_every_page_through_more(visit: Visit, admin: Any) -> None:
    watched = visit("/styleguide/", admin, width=PHONE)
    watched.page.locator(".mx-bottom [data-bs-toggle=offcanvas]").click()
    watched.page.locator("#mx-more.show").wait_for()
    assert watched.page.locator("#mx-more a", has_text="Admin").is_visible()
    watched.check()


def test_the_language_switch_stays_on_the_page(visit: Visit) -> None:
    watched = visit("/accounts/login/")
    page = watched.page
    page.locator("form.dropdown button").first.click()
    page.get_by_text("简体中文").click()
    page.locator("html[lang=zh-hans]").wait_for()
    assert page.url.endswith("/accounts/login/")
    watched.check()


@pytest.mark.usefixtures("_with_styleguide")
def test_logging_in_by_hand_leads_into_the_app(visit: Visit, admin: Any) -> None:
    page = visit("/accounts/login/?next=/styleguide/").page
    page.get_by_label("Email").fill(admin.email)
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/styleguide/")
    assert page.get_by_role("heading", level=1).first.inner_text() == "Components and states"


def test_a_double_click_makes_one_key_and_a_reload_no_other(visit: Visit, admin: Any) -> None:
    seen = visit(reverse("accounts:api_keys"), admin)
    seen.page.fill("#id_name", "Shop")
    seen.page.check("input[value='events:write']")
    seen.page.get_by_role("button", name="Make the key").dblclick()
    seen.page.locator("#secret").wait_for()
    seen.page.reload()
    assert ApiKey.objects.count() == 1
    assert seen.page.locator("#secret").count() == 0
    seen.check()
