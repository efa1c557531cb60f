"""Names of files as keys, and back."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.folder import parts_of, to_key, to_name

PIECES = st.sampled_from(
    [
        b"a",
        b" ",
        b"\xff",
        b"\x80",
        b"\xc3\xa9",
        b"\xc3",
        b"\xee\xbf\xbf",
        b"\xee\xbe",
        b"\xed\xb2\x80",
    ]
)
NAMES = st.lists(PIECES, min_size=1, max_size=6).map(b"".join)


@given(NAMES)
def test_every_name_has_a_key_that_any_store_takes(name: bytes) -> None:
    key = to_key(os.fsdecode(name))
    key.encode("utf-8")
    assert os.fsencode(to_name(key)) == name
    assert parts_of(key) == [os.fsdecode(name)]


@given(NAMES, NAMES)
def test_no_two_names_share_a_key(one: bytes, other: bytes) -> None:
    assert (to_key(os.fsdecode(one)) == to_key(os.fsdecode(other))) == (one == other)


def test_ordinary_names_are_their_own_keys() -> None:
    for name in ("a.txt", "caf\u00e9", "cafe\u0301", "\U0001f600"):
        assert to_key(name) == to_name(name) == name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a\0",
        "\udcff",
        chr(0xD800),
        "\uefc3\uefa9",
    ],
)
def test_what_no_listing_gives_is_no_key(key: str) -> None:
    with pytest.raises(FileNotFoundError):
        parts_of(key)
