"""MJML in, mail out; and every fault in a sentence that names its place."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import content, rendering
from campaigns.core import language
from campaigns.models import Variant
from recommender.reasons import reason_texts
from recommender.services import top_products

FRAME = "<mjml><mj-body><mj-section><mj-column>%s</mj-column></mj-section></mj-body></mjml>"


def problems(mjml, subject="Hello", **fields):
    return content.problems_of(Variant(subject=subject, mjml=mjml, **fields))


@pytest.mark.parametrize("starter", content.STARTERS, ids=lambda starter: starter.key)
def test_every_starter_is_without_fault_and_shows_picks(starter):
    assert problems(starter.mjml) == []
    compiled, links = content.compile_variant(Variant(subject="Hi", mjml=starter.mjml), "https://shop.example/")
    assert compiled["n_picks"] in (2, 3)
    assert {link.pick for link in links if link.pick} == set(range(1, compiled["n_picks"] + 1))
    assert "unsubscribe_url" in compiled["fields"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<mj-include path="/etc/passwd" />', "mj-include"), ("<mj-raw>x</mj-raw>", "mj-raw"),
        ("<mj-text><script>x</script></mj-text>", "script"), ('<mj-text onclick="x">y</mj-text>', "onclick"),
        ("<mj-text>{{ frist_name }}</mj-text>", "Did you mean “first_name”"),
        ("<mj-text>{{ first_name.__class__ }}</mj-text>", "no merge field"),
        ("<mj-text>{% load x %}{{ 1+1 }}</mj-text>", "no merge field"),
        ('<mj-button href="javascript:alert(1)">x</mj-button>', "begins with https://"),
        ('<mj-button href="/sale">x</mj-button>', "begins with https://"),
        ('<mj-button href="https://x.example/{{ first_name }}">x</mj-button>', "not a mixture"),
        (f'<mj-button href="https://x.example/{"a" * 1000}">x</mj-button>', "1,000 characters"),
        ('<mj-text color="{{ first_name }}">x</mj-text>', "colour, size or other style"),
        ("<mj-text>open", "broken near line 1"),
    ],
)  # fmt: skip
def test_a_fault_is_named_and_blocks(body, words):
    found = [problem for problem in problems(FRAME % body) if problem.blocks]
    assert any(words in problem.text for problem in found), found


@pytest.mark.parametrize(
    "mjml", ["", "hello", "<html></html>", "<mjml></mjml>", "<mjml><foo/></mjml>", "<mjml>\ud800</mjml>"]
)
def test_what_is_no_mail_is_refused(mjml):
    assert any(problem.blocks for problem in problems(mjml))


def test_an_entity_bomb_is_refused():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + FRAME % "<mj-text>&b;</mj-text>"
    assert any("DOCTYPE" in problem.text for problem in problems(bomb))


@pytest.mark.parametrize("depth", [90, 96, 40_000])
def test_tags_that_are_nested_too_deep_are_refused_before_they_end_the_process(depth):
    found = problems(FRAME % f"\n<mj-text>{'<b>' * depth}{'</b>' * depth}</mj-text>")
    deep = [problem.line for problem in found if "more than 100 deep" in problem.text]
    assert deep == ([2] if depth > 95 else [])


@pytest.mark.parametrize(
    "body", ["{{ nme }}" * 20_000, "{{" * 140_000, '<a href="x">y</a>' * 15_000, "<script/>" * 30_000]
)
def test_a_mail_full_of_faults_names_a_few(body):
    assert len(problems(FRAME % f"<mj-text>{body}</mj-text>")) == content.MAX_FAULTS


def test_a_mail_that_grows_too_long_by_its_picks_is_refused():
    (problem,) = problems(f"<mjml><mj-body>{'<mai-picks />' * 1000}</mj-body></mjml>")
    assert "300,000 characters" in problem.text


def test_names_of_characters_are_known_and_stay_characters():
    html = content.compile_html(FRAME % "<mj-text>&nbsp;&eacute; &LT;b&GT; &AMP; &euro; &amp; &lt;</mj-text>")
    assert "\xa0é &lt;b&gt; &amp; € &amp; &lt;" in html
    (problem,) = problems(FRAME % "<mj-text>&nosuchname;</mj-text>")
    assert "broken near line 1" in problem.text


def test_the_line_is_the_authors_own_even_after_a_block_of_picks():
    (problem,) = problems('<mjml>\n<mj-body>\n<mai-picks count="3" />\n<mj-raw />\n</mj-body></mjml>')
    assert problem.line == 4


@pytest.mark.parametrize("body", ["<mj-text>x</mj-text>", "<mj-text><!-- unsubscribe_url -->x</mj-text>"])
def test_a_footer_with_address_and_link_is_added_where_it_is_missing(body):
    html = content.compile_html(FRAME % body)
    assert html.count('href="{{ unsubscribe_url }}"') == 1
    assert "{{ postal_address }}" in html


def test_an_own_unsubscribe_link_is_left_alone():
    html = content.compile_html(FRAME % '<mj-text><a href="{{ unsubscribe_url }}">Leave</a></mj-text>')
    assert html.count("unsubscribe_url") == 1


def test_a_mail_that_gmail_cuts_gets_a_warning():
    (problem,) = problems(FRAME % f"<mj-text>{'x ' * 60_000}</mj-text>")
    assert "102 KB" in problem.text
    assert not problem.blocks


def test_a_preview_text_is_escaped_but_keeps_its_fields():
    html = content.compile_html(FRAME % "<mj-text>x</mj-text>", "<b> & {{ first_name|you }}")
    assert "&lt;b&gt; &amp; {{ first_name|you }}" in html


def test_links_of_two_variants_are_counted_on():
    mjml = (
        FRAME % '<mj-button href="https://a.example/">a</mj-button><mj-button href="https://b.example/">b</mj-button>'
    )
    _compiled, links = content.compile_variant(Variant(subject="x", mjml=mjml), "https://shop.example/", 7)
    compiled, _links = content.compile_variant(Variant(subject="x", mjml=mjml), "https://shop.example/", 7)
    assert [link.url for link in links] == ["https://a.example/", "https://b.example/"]
    assert {"link.7", "link.8"} <= language.fields_of(compiled["html"])


@pytest.fixture
def hostile_world(shop, make_shopper, make_product, make_event):
    """A shop, a shopper and products whose names want to be markup."""
    shop.name, shop.postal_address, shop.url = HOSTILE, f"1 Street {HOSTILE}", "https://shop.example"
    shop.save()
    for n in range(4):
        make_product(
            name=f"{HOSTILE}{n}", url="javascript:alert(1)", image='https://x.example/a.png" onerror="alert(1)'
        )
    return make_shopper("eve@mail.example", first_name=HOSTILE)


HOSTILE = "\"><script>alert('x')</script>{{ shop_url }}"


class Elements(HTMLParser):
    """Collects tags, attribute names and addresses."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.names, self.addresses = set(), set(), set()
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _value in attrs}
        self.addresses |= {value for name, value in attrs if name in ("href", "src")}


@pytest.mark.parametrize("starter", content.STARTERS, ids=lambda starter: starter.key)
def test_hostile_names_stay_text_in_a_rendered_mail(hostile_world, inbox, make_campaign, starter):
    campaign = make_campaign(inbox, mjml=starter.mjml, subject="{{ first_name }} at {{ shop_name }}")
    mail = rendering.preview(campaign, campaign.variants.get(), hostile_world)
    read = Elements(mail.html)
    assert "script" not in read.tags
    assert not [name for name in read.names if name.startswith("on")]
    assert all(address == "#" or address.startswith(("http", "mailto")) for address in read.addresses)
    assert "javascript" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "<script>" not in mail.html
    assert "\n" not in mail.subject
    assert HOSTILE in mail.text


@pytest.mark.parametrize("starter", content.STARTERS, ids=lambda starter: starter.key)
def test_a_starter_shows_name_price_picture_and_reason_of_each_pick(ready, shoppers, starter):
    variant = ready.variants.get()
    variant.mjml = starter.mjml
    mail = rendering.preview(ready, variant, shoppers[5])
    compiled, _links = content.compile_variant(variant, "https://shop.example")
    n = compiled["n_picks"]
    assert len(set(re.findall(r"Product \d", mail.text))) == n
    assert len(re.findall(r"\d\d\.\d\d", mail.text)) == n
    assert mail.html.count("/media/products/a.png") == n
    for number in range(1, n + 1):
        assert {f"pick{number}.{field}" for field in ("name", "price", "image", "reason")} <= set(compiled["fields"])
    picks = top_products([shoppers[5].pk], n)[shoppers[5].pk]
    assert all(reason and reason in mail.text for reason in reason_texts(picks, "en"))


@given(st.text() | st.text(alphabet="<>/&;\"'= {}mjtexbody-\n"))
def test_any_text_is_checked_without_an_error(source):
    problems(source)
    problems(FRAME % source)
    problems(FRAME % f"<mj-text>{source}</mj-text>", subject=source)
