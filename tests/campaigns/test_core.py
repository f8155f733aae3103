"""The merge language, the tokens and the draw: whatever is put in, it stays in its place."""

import base64
from html.parser import HTMLParser
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.core import decisions, language, markup, tokens

MAIL = (
    '<p title="{{ first_name }}">Hello {{ first_name|there }}</p>'
    '<a href="{{ pick1.url }}"><img src="{{ pick1.image }}" alt="{{ pick1.name }}"></a><b>end</b>'
)
FIELDS = ("first_name", "pick1.url", "pick1.image", "pick1.name")
KEY = b"k" * 32
uuids = st.uuids()
numbers = st.integers(0, tokens.MAX_NUMBER)
nasty = st.one_of(
    st.text(),
    st.sampled_from([
        '"><script>alert(1)</script>', "' onload='x", "javascript:alert(1)", "JaVa\tScript:alert(1)",
        "data:text/html,x", "{{ first_name }}", "</p></body>", "&quot;", "a\r\nBcc: x@y", "-->", "https://[broken",
    ]),
)  # fmt: skip


class Shape(HTMLParser):
    """Collects the tags and the names of their attributes, and the addresses."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.addresses = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _value in attrs)))
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}", ()))


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, nasty)))
def test_no_value_breaks_out_of_its_place(values):
    filled = Shape(language.fill(language.parts_of_html(MAIL), values))
    assert filled.tags == Shape(MAIL).tags
    for address in filled.addresses:
        assert address == "#" or address.split(":")[0].lower() in language.SAFE_SCHEMES


@given(nasty)
def test_no_value_begins_a_new_line_in_a_subject(value):
    subject = language.fill(language.parts_of_text("{{ first_name|there }}, look"), {"first_name": value})
    assert len(subject.splitlines()) == 1


@given(nasty)
def test_a_value_that_looks_like_a_field_is_not_filled_again(value):
    filled = language.fill(language.parts_of_text("{{ last_name }}"), {"last_name": "{{ first_name }}" + value})
    assert filled.startswith("{{ first_name }}")


def test_an_absent_or_blank_value_becomes_the_fallback():
    parts = language.parts_of_text("Hello {{ first_name|dear friend }}!")
    for value in ({}, {"first_name": ""}, {"first_name": "  "}):
        assert language.fill(parts, value) == "Hello dear friend!"
    assert language.fill(parts, {"first_name": "Ada"}) == "Hello Ada!"


@given(st.text())
def test_any_text_can_be_cut_and_checked(source):
    list(language.faults(source, FIELDS))
    language.parts_of_html(source)
    assert language.fill(language.parts_of_text(source), {}) is not None


def test_a_fault_names_the_line_and_the_nearest_field():
    (fault,) = language.faults("Hello\n{{ frist_name }}", ("first_name", "last_name"))
    assert (fault.name, fault.near, fault.line) == ("frist_name", "first_name", 2)
    (stray,) = language.faults("{{ 1 + 1 }", ())
    assert (stray.name, stray.line) == ("", 1)


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("https://shop.example/a", True), ("mailto:a@b.example", True), ("tel:+441", True), ("www.shop.example", False),
        ("/sale", False), ("https://", False), ("javascript:alert(1)", False), ("https://[broken", False), ("", False),
    ],
)  # fmt: skip
def test_what_a_click_can_lead_to(address, whole):
    assert language.is_whole_address(address) is whole


@given(uuids, numbers)
def test_a_token_is_read_back_for_its_own_purpose_only(message, number):
    token = tokens.make("click", message, number, KEY)
    assert tokens.read("click", token, KEY) == (message, number)
    assert tokens.read("unsubscribe", token, KEY) is None
    assert tokens.read("click", token, b"other" * 8) is None
    assert len(token) == 38


@given(uuids, numbers, st.integers(0, tokens.LENGTH - 1), st.integers(1, 255))
def test_a_token_with_any_byte_changed_is_refused(message, number, position, mask):
    raw = bytearray(base64.urlsafe_b64decode(tokens.make("click", message, number, KEY) + "=="))
    raw[position] ^= mask
    assert tokens.read("click", base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode(), KEY) is None


@given(st.text())
def test_noise_is_no_token(text):
    assert tokens.read("open", text, KEY) is None


def test_a_number_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="outside"):
        tokens.make("click", UUID(int=1), tokens.MAX_NUMBER + 1, KEY)


def test_the_text_part_says_what_the_html_says():
    text = markup.text_of('<style>p{}</style><p>Hi <b>Ada</b></p><a href="https://x.example/">Shop</a><img alt="Mug">')
    assert text == "Hi Ada\nShop (https://x.example/)[Mug]\n"


def test_links_are_replaced_unescaped_and_put_back_escaped():
    seen = []
    source = markup.replace_links(
        '<a class="x" href="https://x.example/?a=1&amp;b=2">x</a>', lambda a: seen.append(a) or '"&'
    )
    assert seen == ["https://x.example/?a=1&b=2"]
    assert source == '<a class="x" href="&quot;&amp;">x</a>'


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 0.99), st.lists(st.floats(0.01, 1), min_size=1, max_size=3))
def test_probabilities_of_all_arms_sum_to_one_and_a_draw_chooses_one(draw, control, shares):
    variants = list(zip("ABC", shares, strict=False))
    decision = decisions.choose(draw, control, variants)
    assert (decision.arm == decisions.CONTROL) == (draw < control)
    total = control + sum((1 - control) * share / sum(shares) for share in shares)
    assert total == pytest.approx(1)
    assert 0 <= decision.probability <= 1


def test_a_draw_by_hand():
    variants = [("A", 0.5), ("B", 0.5)]
    arms = [decisions.choose(draw, 0.1, variants).arm for draw in (0.05, 0.1, 0.54, 0.56, 0.999)]
    assert arms == ["control", "A", "A", "B", "B"]
    assert decisions.choose(0.6, 0.1, variants).probability == pytest.approx(0.45)
    with pytest.raises(ValueError, match="draw"):
        decisions.choose(1.0, 0.1, variants)
