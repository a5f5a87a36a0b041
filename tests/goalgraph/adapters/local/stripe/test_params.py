"""Form-encoded parameters: what stripe-python writes is what is read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from goalgraph.adapters.local.stripe.errors import StripeError
from goalgraph.adapters.local.stripe.params import Params, decode

names = st.text("abcdefgh_", min_size=1, max_size=6)
values = st.recursive(
    st.text(max_size=5),
    lambda below: st.one_of(st.lists(below, min_size=1, max_size=3), st.dictionaries(names, below, min_size=1, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4))
def test_what_the_library_encodes_is_decoded(wanted):
    assert decode((name, str(value)) for name, value in _api_encode(wanted)) == wanted


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=3)), max_size=6))
def test_any_names_at_all_are_read_or_refused(pairs):
    with contextlib.suppress(StripeError):
        assert bool(pairs) <= len(decode(pairs)) <= len(pairs)


def test_both_spellings_of_a_list():
    assert decode([("a[]", "x"), ("a[]", "y")]) == decode([("a[0]", "x"), ("a[1]", "y")]) == {"a": ["x", "y"]}


@pytest.mark.parametrize("pairs", [[("a", "1"), ("a[b]", "2")], [("a[b]", "1"), ("a", "2")], [("a" + "[b]" * 20, "1")]])
def test_names_that_contradict_each_other_are_refused(pairs):
    with pytest.raises(StripeError):
        decode(pairs)


@pytest.mark.parametrize(
    ("read", "code"),
    [
        (lambda params: params.integer("word"), "parameter_invalid_integer"),
        (lambda params: params.need("nothing"), "parameter_missing"),
        (lambda params: params.boolean("word"), None),
        (lambda params: params.text("map"), None),
        (lambda params: params.within("word"), None),
        (lambda params: params.each("map"), None),
        (lambda params: params.one_of("word", ["a", "b"]), None),
    ],
)
def test_another_type_is_refused(read, code):
    with pytest.raises(StripeError) as refused:
        read(Params({"word": "hello", "map": {"x": "1"}}))
    assert refused.value.status == 400
    assert refused.value.body["error"].get("code") == code


def test_metadata_is_merged_and_an_empty_value_removes():
    before = {"a": "1", "b": "2"}
    assert Params({"metadata": {"b": "", "c": "3"}}).metadata(before) == {"a": "1", "c": "3"}
    assert Params({"metadata": ""}).metadata(before) == {}
    assert Params({}).metadata(before) == before
