"""Tokens of public addresses: what we signed is read, whatever differs is not."""

from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from campaigns.core import tokens

KEY = b"a key of the test"
PURPOSES = ["open", "click", "unsubscribe"]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

uuids = st.uuids()
numbers = st.integers(0, tokens.MAX_NUMBER)


@given(st.sampled_from(PURPOSES), uuids, numbers)
def test_a_token_brings_back_what_it_was_made_of(purpose, uuid, number):
    token = tokens.make(purpose, uuid, number, KEY)
    assert len(token) == 38
    assert tokens.read(purpose, token, KEY) == (uuid, number)


@given(uuids, numbers)
def test_a_token_serves_one_purpose_and_one_key_only(uuid, number):
    token = tokens.make("open", uuid, number, KEY)
    assert tokens.read("click", token, KEY) is None
    assert tokens.read("unsubscribe", token, KEY) is None
    assert tokens.read("open", token, KEY + b"!") is None


@given(uuids, numbers, st.integers(0, 37), st.sampled_from(ALPHABET))
def test_a_token_with_one_other_letter_is_refused(uuid, number, position, letter):
    token = tokens.make("click", uuid, number, KEY)
    assume(token[position] != letter)
    assert tokens.read("click", token[:position] + letter + token[position + 1 :], KEY) is None


@given(uuids, st.integers(0, 38), st.text(min_size=1, max_size=4))
def test_a_token_with_something_in_it_is_refused(uuid, position, foreign):
    token = tokens.make("click", uuid, 3, KEY)
    assert tokens.read("click", token[:position] + foreign + token[position:], KEY) is None


@given(uuids, st.integers(0, 37))
def test_a_part_of_a_token_is_refused(uuid, length):
    token = tokens.make("click", uuid, 3, KEY)
    assert tokens.read("click", token[:length], KEY) is None
    assert tokens.read("click", token[length + 1 :], KEY) is None


@given(st.text())
def test_any_text_is_refused_without_an_error(text):
    assert tokens.read("open", text, KEY) is None


@pytest.mark.parametrize("number", [-1, tokens.MAX_NUMBER + 1])
def test_a_number_that_does_not_fit_is_refused(number):
    with pytest.raises(ValueError, match="outside"):
        tokens.make("click", UUID(int=1), number, KEY)
