"""MJML in, mail out; and every fault in a sentence that names its place."""

import pytest

from campaigns import content
from campaigns.core import language
from campaigns.models import Variant

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
