"""The pages of API keys as an admin walks through them."""

import pytest

from mailai.accounts import apikeys
from mailai.accounts.models import ApiKey
from tests.browser import DIAGONAL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _forgetful():
    apikeys.forget()


@DIAGONAL
def test_the_pages_of_the_api_are_quiet_and_usable(admin, visit, width, theme):
    key, _secret = apikeys.create(
        "Shop pages", ["events:browser"], by=admin, rate=1000, origins=["https://shop.example"]
    )
    apikeys.create("Till", ["events:write", "products:write"], by=admin, rate=60_000)
    for path in ("/settings/api/", f"/settings/api/{key.uuid}/snippet/", "/api/v1/docs"):
        visit(path, admin, width=width, theme=theme).check()
    visit("/api/v1/docs", width=width, theme=theme).check()


def test_a_key_is_made_and_revoked_in_a_browser(admin, visit):
    watched = visit("/settings/api/", admin)
    page = watched.page
    page.fill("#id_name", "Till")
    page.check("[value='events:write']")
    page.click("button:has-text('Make the key')")
    assert len(page.text_content("#secret")) == 43
    page.click("button:has-text('Revoke')")
    page.click("dialog[open] [type=submit]")
    page.wait_for_url("**/settings/api/")
    assert page.locator("#secret").count() == 0
    assert ApiKey.objects.get().revoked_at
    watched.check()
