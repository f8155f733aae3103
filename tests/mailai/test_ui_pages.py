from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.urls import reverse

from mailai.ui import shell, views
from mailai.ui.charts import Series, bars, dots, lines
from mailai.ui.tables import paginate


def test_only_existing_pages_stand_in_the_navigation(marketer: Any) -> None:
    shown = {row["key"] for group in shell.navigation(marketer) for row in group.entries}
    assert "admin" not in shown
    assert shell.allowed_url(marketer, "no:such-page") == ""


def test_an_admin_sees_the_admin_pages_and_a_stranger_sees_none(admin: Any, stranger: Any) -> None:
    assert "admin" in {row["key"] for group in shell.navigation(admin) for row in group.entries}
    assert shell.navigation(stranger) == []
    assert shell.commands(AnonymousUser()) == []


@pytest.mark.django_db
def test_a_wrong_address_gets_a_page_that_helps(client: Client) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert "This page does not exist" in answer.content.decode()


def test_the_error_page_needs_no_database() -> None:
    answer = views.server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Nothing was half done" in answer.content.decode()


def test_the_wrong_role_is_told_who_can_open_a_page(client_for: Any, stranger: Any) -> None:
    answer = client_for(stranger).get(reverse("accounts:team"))
    assert answer.status_code == 403
    assert "It is for people with one of these roles: Admin" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["account_login", "account_reset_password", "account_reset_password_done"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_login_pages_stand_in_our_look(client: Client, name: str, language: str) -> None:
    html = client.get(reverse(name), headers={"accept-language": language}).content.decode()
    assert "mx-bare-card" in html
    assert f'lang="{language}"' in html


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("en", "Forgot your password?"), ("zh-hans", "忘记密码？")])
def test_the_login_page_offers_a_new_password_once(client: Client, language: str, words: str) -> None:
    html = client.get(reverse("account_login"), headers={"accept-language": language}).content.decode()
    assert html.count(reverse("account_reset_password")) == 1
    assert html.count(words) == 1


def test_the_password_page_and_the_way_out_work(client_for: Any, marketer: Any) -> None:
    client = client_for(marketer)
    assert "mx-bare-card" in client.get(reverse("account_change_password")).content.decode()
    assert "Log out of MailAI?" in client.get(reverse("account_logout")).content.decode()
    assert client.post(reverse("account_logout")).status_code == 302


@pytest.mark.django_db
def test_media_serves_product_pictures_and_nothing_else(client: Client) -> None:
    folder = Path(settings.MEDIA_ROOT)
    (folder / "products").mkdir(parents=True)
    (folder / "products" / "a.png").write_bytes(b"picture")
    (folder / "uploads").mkdir()
    (folder / "uploads" / "shoppers.csv").write_text("secret")
    answer = client.get("/media/products/a.png")
    assert b"".join(answer.streaming_content) == b"picture"
    assert "max-age=604800" in answer["Cache-Control"]
    for path in [
        "uploads/shoppers.csv",
        "products/../uploads/shoppers.csv",
        "products/%2e%2e/uploads/shoppers.csv",
        "products/",
    ]:
        assert client.get(f"/media/{path}").status_code in {400, 404}, path


def test_pages_keep_the_filters_in_the_address(rf: RequestFactory) -> None:
    page = paginate(rf.get("/?stage=new&page=2"), list(range(60)))
    assert (page.first, page.last, page.total, page.n_pages) == (26, 50, 60, 3)
    assert page.next_url == "?stage=new&page=3"
    assert next(iter(page)) == 25


@pytest.mark.parametrize(("asked", "number"), [("x", 1), ("999", 3), ("-1", 3), ("", 1)])
def test_a_nonsense_page_number_breaks_nothing(rf: RequestFactory, asked: str, number: int) -> None:
    assert paginate(rf.get("/", {"page": asked}), list(range(60))).number == number


def test_figures_carry_colour_names_and_no_template() -> None:
    figure = lines(
        [
            Series("Got email", ["2026-09-07", "2026-09-14"], [6.3, 6.6], "c1", [6.0, 6.2], [6.5, 6.9]),
            Series("Control", ["2026-09-07", "2026-09-14"], [5.5, 5.6], "control"),
        ],
        dates=True,
    )
    assert "template" not in figure["layout"]
    assert [trace["line"]["color"] for trace in figure["data"]] == ["c1", "c1", "c1", "control"]
    assert figure["data"][1]["fillcolor"] == "c1/0.13"
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["Got email", "Control"]


def test_bars_and_dots_show_their_range_and_no_markup() -> None:
    series = [Series("<b>A</b>", ["x"], [2.0], "c2", [1.5], [3.0])]
    for figure in (bars(series), dots(series)):
        trace = figure["data"][0]
        assert (trace["error_y"]["array"], trace["error_y"]["arrayminus"]) == ([1.0], [0.5])
        assert "<b>" not in trace["hovertemplate"]


def test_the_axis_of_few_things_counts_whole_ones() -> None:
    few, many = (bars([Series("Rows", ["x"], [n])])["layout"]["yaxis"] for n in (2, 50))
    assert (few.get("dtick"), many.get("dtick")) == (1, None)
    assert "dtick" not in bars([Series("Share", ["x"], [0.5])], y_format=".0%")["layout"]["yaxis"]


def test_a_series_without_points_draws_nothing() -> None:
    assert lines([Series("Clicks", [], [])])["layout"].get("annotations", []) == []


def test_the_style_guide_shows_every_component() -> None:
    folder = Path(settings.BASE_DIR) / "templates"
    sources = [folder / f"{name}.html" for name in ("styleguide", "skeleton", "base")]
    shown = "".join(file.read_text() for file in [*sources, *(folder / "components").glob("*.html")])
    forms_only = {"form_errors.html", "field.html"}
    names = {file.name for file in (folder / "components").glob("*.html")} - forms_only
    assert [name for name in sorted(names) if f"components/{name}" not in shown] == []


@pytest.mark.django_db
def test_a_part_of_a_page_that_fails_is_a_part(client_for: Any, stranger: Any, marketer: Any) -> None:
    part = {"HX-Request": "true"}
    gone = client_for(marketer).get(f"/segments/{uuid4()}/know/", headers=part)
    refused = client_for(stranger).get("/segments/", headers=part)
    broken = views.server_error(RequestFactory().get("/", headers=part))
    for answer, status, said in ((gone, 404, "not there any more"), (refused, 403, "role"), (broken, 500, "our side")):
        text = answer.content.decode()
        assert (answer.status_code, said in text, "<html" in text) == (status, True, False)


def test_an_axis_of_time_is_a_day_wide_at_least():
    hours = lines([Series("Ease", ["2026-12-01 14:00", "2026-12-01 16:00"], [1, 2])], dates=True)
    assert hours["layout"]["xaxis"]["range"] == ["2026-12-01T02:00:00.000", "2026-12-02T04:00:00.000"]
    days = lines([Series("Ease", ["2026-12-01", "2026-12-03"], [1, 2])], dates=True)
    assert "range" not in days["layout"]["xaxis"]
