"""Keys, their ids, and the text that a key ring is kept as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaveipam.errors import ConfigError
from weaveipam.protocol.keyring import (
    KEYS_MAX,
    PLAIN,
    UNSEALED,
    Key,
    KeyRing,
    format_keyring,
    parse_key,
    parse_keyring,
)

OLD, NEW = Key(bytes(range(16))), Key(bytes(range(32)))
KEYS = st.lists(
    st.one_of(
        st.binary(min_size=16, max_size=16).map(Key),
        st.binary(min_size=32, max_size=32).map(Key),
        st.just(PLAIN),
    ),
    min_size=1,
    max_size=KEYS_MAX,
    unique_by=lambda key: key.id,
)


@given(KEYS)
def test_text_round_trip(keys: list[Key]) -> None:
    """A ring that is written and read is the same ring, in the same order."""
    assert KeyRing(tuple(keys)) == parse_keyring(format_keyring(keys))


def test_comments_and_blank_lines_count_for_nothing() -> None:
    """What follows a number sign, spaces and empty lines are for people; a key said twice is one key."""
    text = f"# ours\n\n  {OLD.text}   # since May\r\nplain # for now\n{OLD.text}\n"

    assert KeyRing((OLD, PLAIN)) == parse_keyring(text)


def test_an_id_is_short_and_not_the_key() -> None:
    """An id has six hexadecimal digits that are no part of the key, and is another one for another key."""
    assert ("plain", False) == (PLAIN.id, OLD.id == NEW.id)
    for key in (OLD, NEW):
        assert key.tag == bytes.fromhex(key.id)
        assert len(key.tag) == 3
        assert key.tag not in key.secret


def test_a_key_is_not_shown() -> None:
    """What a log would print of a key, or of anything that holds it, is its id."""
    assert f"KeyRing(keys=(Key({OLD.id}), Key(plain)))" == repr(KeyRing((OLD, PLAIN)))


@pytest.mark.parametrize("length", [1, 15, 17, 24, 31, 33, 64])
def test_other_lengths_are_refused(length: int) -> None:
    """A key has 16 or 32 bytes."""
    with pytest.raises(ConfigError, match=f"16 or 32 bytes, not {length}"):
        Key(bytes(length))


@pytest.mark.parametrize(
    "line",
    ["", "secret", "AAAA", "!!!!", "Plain", OLD.text + "=", OLD.text[:-3], "é", OLD.text + " " + NEW.text],
)
def test_what_is_no_key_is_refused(line: str) -> None:
    """Anything but a key of a right length is refused; no message repeats what might be half a key."""
    with pytest.raises(ConfigError) as caught:
        parse_key(line)
    assert not line or line not in str(caught.value)


def test_a_wrong_line_is_named() -> None:
    """An operator learns which line to mend."""
    with pytest.raises(ConfigError, match="line 3: a key has"):
        parse_keyring(f"# ours\n{OLD.text}\nnonsense\n")


def test_a_ring_has_a_key() -> None:
    """An empty file is no key ring: to take packets without a seal must be said."""
    with pytest.raises(ConfigError, match="1 to 16 keys, not 0"):
        parse_keyring("# nothing yet\n")


def test_a_ring_is_bounded_and_ids_differ() -> None:
    """More keys than a ring has, or two that packets could not tell apart, are refused."""
    many = tuple(Key(bytes((number,)) * 16) for number in range(KEYS_MAX + 1))
    with pytest.raises(ConfigError, match="not 17"):
        KeyRing(many)
    with pytest.raises(ConfigError, match=f"two keys of the id {OLD.id}"):
        KeyRing((OLD, OLD))


def test_rotation() -> None:
    """Adding, using and removing lead from one key to the next, and each step can be repeated."""
    both = KeyRing((OLD,)).adding(NEW)
    assert (OLD, NEW) == both.keys
    assert both == both.adding(NEW)
    changed = both.using(NEW.id)
    assert NEW == changed.used
    assert changed == changed.using(NEW.id)
    assert KeyRing((NEW,)) == changed.removing(OLD.id) == changed.removing(OLD.id).removing(OLD.id)


def test_the_key_in_use_stays() -> None:
    """A daemon cannot be left without a key to send with, nor be told to use one that it does not have."""
    with pytest.raises(ConfigError, match="use another one first"):
        KeyRing((OLD, NEW)).removing(OLD.id)
    with pytest.raises(ConfigError, match=f"no key {NEW.id}.*there are {OLD.id}, plain"):
        KeyRing((OLD, PLAIN)).using(NEW.id)


def test_plain_counts_as_a_key() -> None:
    """A cluster takes its first key as it changes any other."""
    first = UNSEALED.adding(NEW)

    assert (PLAIN, NEW) == first.keys
    assert KeyRing((NEW,)) == first.using(NEW.id).removing("plain")
