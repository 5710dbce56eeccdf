"""Text to codes and back."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import PADDING, DataError, Vocabulary

nfc_texts = st.text(min_size=1).map(lambda text: unicodedata.normalize("NFC", text))


@given(nfc_texts, st.integers(0, 5))
def test_decode_undoes_encode_and_drops_padding(text: str, padding: int) -> None:
    vocabulary = Vocabulary(text)
    codes = vocabulary.encode(text)
    assert codes.dtype == np.int64
    assert codes.shape == (len(text),)
    assert 0 < codes.min() <= codes.max() < len(vocabulary)
    assert vocabulary.decode(codes.tolist() + [PADDING] * padding) == text


def test_codes_start_after_padding_in_sorted_order() -> None:
    vocabulary = Vocabulary("cabbac")
    assert vocabulary.letters == "abc"
    assert len(vocabulary) == 4
    assert vocabulary.encode("abc").tolist() == [1, 2, 3]
    assert repr(vocabulary) == "Vocabulary('abc')"


def test_an_alphabet_of_single_characters_is_the_same() -> None:
    assert Vocabulary(["b", "a"]).letters == Vocabulary("ab").letters


def test_text_is_normalised_before_encoding() -> None:
    vocabulary = Vocabulary("é")
    assert vocabulary.encode(unicodedata.normalize("NFD", "é")).tolist() == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("añb", "letter 'ñ' (U+00F1) at position 2 of 'añb' is not among the 3 letters of the "
         "vocabulary; 'n' is known"),
        ("aB", "letter 'B' (U+0042) at position 2 of 'aB' is not among the 3 letters of the "
         "vocabulary; 'b' is known"),
        ("Ñ", "letter 'Ñ' (U+00D1) at position 1 of 'Ñ' is not among the 3 letters of the "
         "vocabulary; 'n' is known"),
        ("a\n", "letter '\\n' (U+000A) at position 2 of 'a\\n' is not among the 3 letters of the "
         "vocabulary"),
        ("", "nothing to encode: the text is empty"),
    ],
)  # fmt: skip
def test_text_that_cannot_be_encoded(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        Vocabulary("abn").encode(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("code", [-1, 4])
def test_code_of_no_letter(code: int) -> None:
    with pytest.raises(DataError) as caught:
        Vocabulary("abc").decode([1, code])
    assert str(caught.value) == (
        f"code {code} at position 2 stands for no letter (the codes are 0 to 3)"
    )


@pytest.mark.parametrize("codes", [[[1, 2]], [0.5], 3])
def test_codes_that_are_no_integer_sequence(codes: object) -> None:
    with pytest.raises(DataError, match=r"^codes have shape .* but must be integers of shape"):
        Vocabulary("abc").decode(codes)


def test_no_codes_are_no_text() -> None:
    assert Vocabulary("abc").decode([]) == ""


def test_alphabets_that_cannot_be() -> None:
    with pytest.raises(DataError, match=r"^a vocabulary needs at least one letter"):
        Vocabulary("")
    with pytest.raises(DataError, match=r"^'ab' is no single letter"):
        Vocabulary(["ab", "c"])


# Words


def test_words_are_what_the_separator_parts() -> None:
    words = Vocabulary.of(["the cat  sat", "the dog"], separator=" ")
    assert words.tokens == ("cat", "dog", "sat", "the")
    assert words.encode("the dog").tolist() == [4, 2]
    assert words.decode([4, 2, PADDING]) == "the dog"
    assert repr(words) == "<Vocabulary of 4 words: 'cat', 'dog', 'sat', 'the'>"
    with pytest.raises(DataError, match="word 'bird' at position 2 of 'the bird' is not among"):
        words.encode("the bird")


def test_an_unknown_token_stands_for_those_that_are_rare() -> None:
    words = Vocabulary.of(["a b b", "b c"], separator=" ", min_count=2, unknown="<unk>")
    assert words.tokens == ("<unk>", "b")
    assert words.decode(words.encode("a b z")) == "<unk> b <unk>"
    letters = Vocabulary("ab", unknown="?")
    assert letters.decode(letters.encode("axb")) == "a?b"


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=8))
def test_words_are_read_as_they_were_written(words: list[str]) -> None:
    text = " ".join(words)
    vocabulary = Vocabulary.of([text], separator=" ")
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert Vocabulary(vocabulary.tokens, separator=" ").tokens == vocabulary.tokens


@pytest.mark.parametrize("token", ["a b", ""])
def test_what_is_no_word(token: str) -> None:
    with pytest.raises(DataError, match="is not a word"):
        Vocabulary([token], separator=" ")
