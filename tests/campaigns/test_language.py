"""The merge language: a value stays in its place, whatever it holds."""

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.core import language

KNOWN = ("first_name", "shop_name", "shop_url")
HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "-->", "</td></table>", "]]>",
        "{{ shop_name }}", "&lt;b&gt;", "javascript:alert(1)", "java\tscript:x", "\x00", "a\r\nBcc: b@x.example",
    ]
)  # fmt: skip
values = st.text() | HOSTILE | st.lists(HOSTILE | st.text(), max_size=3).map("".join)
PAGE = """<!DOCTYPE html><html><body title="{{ first_name }}"><!--[if mso]><table><tr><td><![endif]-->
<p>Hello {{ first_name|there }}</p><img alt="{{ shop_name }}" src="{{ shop_url }}">
<a title="a > b" href='{{ shop_url }}' data-x="before {{ shop_name }} after">{{ shop_name }}</a>
<!-- {{ first_name }} --></body></html>"""


class Shape(HTMLParser):
    """Writes down tags, attribute names, values and comments."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.values, self.text, self.comments = [], [], "", 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _value in attrs)))
        self.values += [value for _name, value in attrs]

    def handle_endtag(self, tag):
        self.tags.append(f"/{tag}")

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.comments += 1


def fill(source, given_values):
    return language.fill(language.parts_of_html(source), given_values)


def shown(value):
    """What is left of a value in running text: control characters are blanks there."""
    return language.CONTROL.sub(" ", value.strip())


@given(values, values, values)
def test_a_value_stays_in_its_place(name, shop, address):
    plain = Shape(fill(PAGE, {"first_name": "N", "shop_name": "S", "shop_url": "https://s.example"}))
    hostile = Shape(fill(PAGE, {"first_name": name, "shop_name": shop, "shop_url": address}))
    assert hostile.tags == plain.tags
    assert hostile.comments == plain.comments
    title, alt, source, _title, target, data = hostile.values
    assert (title, alt, data) == (shown(name), shown(shop), f"before {shown(shop)} after")
    assert source == target == language.safe_address(address.strip())
    assert f"Hello {shown(name) or 'there'}" in hostile.text


@given(st.lists(values, min_size=1, max_size=4))
def test_a_value_is_never_read_as_a_field(found):
    source = "{{ first_name }}".join(["start", *["middle"] * len(found)])
    for value in found:
        filled = language.fill(language.parts_of_text(source), {"first_name": value, "shop_name": "SECRET"})
        assert "SECRET" not in filled


@given(st.text() | HOSTILE)
def test_any_text_can_be_checked_and_cut(source):
    list(language.faults(source, KNOWN))
    for parts in (language.parts_of_text(source), language.parts_of_html(source)):
        language.fill(parts, {})
        assert language.fields_of(parts) == {match[1] for match in language.FIELD.finditer(source)}


@given(st.text(alphabet=st.characters(exclude_characters="{}", exclude_categories=["Cs"])) | st.just("a { b } c"))
def test_text_without_fields_comes_back_as_it_was(source):
    assert language.fill(language.parts_of_text(source), {}) == source
    assert language.fill(language.parts_of_html(source), {}) == source
    assert list(language.faults(source, KNOWN)) == []


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
        "\x01javascript:x",
        "data:text/html,<script>x</script>", "vbscript:x", "file:///etc/passwd", "//evil.example/x", "/path", "",
        "http://[", "https:\x00javascript", "ftp://x.example",
    ],
)  # fmt: skip
def test_an_address_with_another_scheme_leads_nowhere(address):
    found = language.safe_address(address)
    assert found == "#" or found.startswith("https:")
    for gap in (
        '<a href="{{ shop_url }}">',
        "<img src = '{{ shop_url }}'>",
        '<a title="1 > 0" href=" {{ shop_url }}">',
    ):
        filled = fill(gap, {"shop_url": address})
        assert "script:alert" not in filled
        assert "data:" not in filled


@given(values)
def test_a_safe_address_is_one_token_of_an_allowed_scheme(address):
    found = language.safe_address(address)
    assert found == "#" or found.split(":")[0].lower() in language.SAFE_SCHEMES
    assert not set(found) & set(' "<>\n\r\t\\^`{|}')


def test_good_addresses_stay_as_they_are():
    for address in ("https://s.example/a?b=c&d=e#f", "mailto:hi@s.example", "tel:+44123", "http://s.example/%C3%A9"):
        assert language.safe_address(address) == address
    assert language.safe_address("https://s.example/a b é") == "https://s.example/a%20b%20%C3%A9"


@given(values)
def test_a_header_is_one_line(value):
    filled = language.fill(language.parts_of_text("{{ first_name }}, look"), {"first_name": value})
    assert not set(filled) & set("\r\n\x00\x85\u2028\u2029")


def test_a_fallback_steps_in_for_what_is_absent_or_blank_and_is_escaped_too():
    parts = language.parts_of_html("<p>{{ first_name|Tom &amp; Co }}</p>")
    assert language.fill(parts, {}) == language.fill(parts, {"first_name": "  "}) == "<p>Tom &amp; Co</p>"
    assert html.unescape(language.fill(parts, {})) == "<p>Tom & Co</p>"
    assert language.fill(parts, {"first_name": "Ann"}) == "<p>Ann</p>"


def test_a_fault_names_the_line_and_the_nearest_field():
    source = "{{ first_name }}\n{{ frist_name }} {{ zzzzz }}\n{{ first name }} {{ pick1.nme }} {{ pick3.price }}"
    found = [(fault.name, fault.near, fault.line) for fault in language.faults(source, KNOWN)]
    assert found == [
        ("frist_name", "first_name", 2), ("zzzzz", "", 2), ("pick1.nme", "pick1.name", 3), ("", "", 3), ("", "", 3),
    ]  # fmt: skip


def test_no_expression_is_a_field():
    for source in ("{{ a.b() }}", "{{ first_name|upper|lower }}", "{{ 7*7 }}", "{{ __class__ }}", "{% load x %}{{"):
        assert any(not fault.name for fault in language.faults(source, KNOWN))


def test_the_number_of_picks_is_the_highest_that_is_asked_for():
    names = language.fields_of(language.parts_of_html("{{ pick2.name }} {{ pick4.url }} {{ first_name }}"))
    assert language.n_picks(names) == 4
    assert language.n_picks({"first_name"}) == 0


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("https://shop.example", True), ("https:///path", False), ("shop.example", False), ("/x", False),
        ("mailto:a@x.example", True), ("mailto:", False), ("javascript:alert(1)", False), ("http://[x", False),
    ],
)  # fmt: skip
def test_a_whole_address(address, whole):
    assert language.is_whole_address(address) is whole
