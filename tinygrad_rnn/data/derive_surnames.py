"""Derive the packaged surnames from the locale lists of the ``faker`` package.

Run it with::

    python -m tinygrad_rnn.data.derive_surnames            # rewrites the packaged set
    python -m tinygrad_rnn.data.derive_surnames FOLDER     # writes somewhere else

The same version of ``faker`` gives the same bytes. ``faker`` comes with the extra ``data``; nothing
else in the package needs it.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.surname_sources import LANGUAGES, Language, SurnameList
from tinygrad_rnn.invocation import install_command

LARGEST_CLASS = 1000
"""Languages with more surnames are cut to this many, so that none drowns the others."""

PACKAGED_FOLDER = Path(__file__).parent / "surnames"

_COMMAND = "python -m tinygrad_rnn.data.derive_surnames"


def clean_surname(entry: str) -> str | None:
    """Return the entry as the data set spells it, or None when it cannot be a surname there.

    A surname has two or more letters, all of Latin script, besides spaces, apostrophes and
    hyphens. Apostrophes become the plain one and all-capital entries are capitalised.

    >>> clean_surname("CHIANG"), clean_surname("O’Neill"), clean_surname("Este, van")
    ('Chiang', "O'Neill", None)
    """
    name = unicodedata.normalize("NFC", entry.strip()).replace("’", "'")
    if name.isupper():
        name = name.capitalize()
    letters = [character for character in name if character not in " '-"]
    if len(letters) < 2 or not all(_is_latin_letter(letter) for letter in letters):
        return None
    return name


def _is_latin_letter(character: str) -> bool:
    is_latin = unicodedata.name(character, "").startswith("LATIN ")
    return is_latin and unicodedata.category(character) in ("Lu", "Ll")


def keep_at_most(names: Iterable[str], largest: int) -> list[str]:
    """Choose at most ``largest`` names, pseudo-randomly but always the same ones.

    Ordering by a digest spreads the choice over the alphabet and needs no random generator
    whose stream might change between versions.

    >>> keep_at_most(["Abe", "Ito", "Ota"], 2) == keep_at_most(["Ota", "Ito", "Abe"], 2)
    True
    """
    by_digest = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return sorted(by_digest[:largest])


def read_list(source: SurnameList) -> set[str]:
    """Return the cleaned surnames of one faker list."""
    module = importlib.import_module(f"faker.providers.person.{source.locale}")
    # Iterating works for a tuple, a list and an OrderedDict of weights.
    entries: Iterable[str] = getattr(module.Provider, source.attribute)
    return {name for name in map(clean_surname, entries) if name is not None}


def derive_language(language: Language) -> list[str]:
    """Return the sorted surnames of one language."""
    names: set[str] = set().union(*(read_list(source) for source in language.lists))
    foreign: set[str] = set().union(*(read_list(source) for source in language.not_in))
    unknown = language.excluded - names
    if unknown:
        print(f"note: excluded but not in the lists: {', '.join(sorted(unknown))}", file=sys.stderr)
    return keep_at_most(names - foreign - language.excluded, LARGEST_CLASS)


def write_surnames(folder: Path) -> dict[str, list[str]]:
    """Write one ``<Language>.txt`` per language and the README to ``folder``.

    Needs ``faker``; :class:`DataError` says so when it is missing.

    >>> surnames = write_surnames(Path("surnames"))  # doctest: +SKIP
    """
    try:
        faker = metadata.distribution("faker")
        importlib.import_module("faker")
    except (ImportError, metadata.PackageNotFoundError):
        raise DataError(
            "deriving the surnames needs the faker package, which is not installed: "
            f"{install_command('data')}"
        ) from None
    surnames = {name: derive_language(language) for name, language in LANGUAGES.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for language_name, names in surnames.items():
        text = "".join(f"{name}\n" for name in names)
        (folder / f"{language_name}.txt").write_bytes(text.encode())
    readme = describe(surnames, faker.version, _licence_text(faker))
    (folder / "README.md").write_bytes(readme.encode())
    return surnames


def _licence_text(distribution: metadata.Distribution) -> str:
    for file in distribution.files or ():
        if file.name.upper().startswith("LICENSE"):
            text = Path(str(distribution.locate_file(file))).read_text(encoding="utf-8")
            return text.strip()
    raise DataError(
        f"faker {distribution.version} is installed without its LICENSE file, which the "
        "README of the surnames must quote: reinstall faker from PyPI"
    )


def shared_names(surnames: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the names that several languages have, each with its languages.

    >>> shared_names({"German": ["Simon", "Weiß"], "French": ["Simon"]})
    {'Simon': ['French', 'German']}
    """
    languages_of: dict[str, list[str]] = {}
    for language in sorted(surnames):
        for name in surnames[language]:
            languages_of.setdefault(name, []).append(language)
    return {name: found for name, found in sorted(languages_of.items()) if len(found) > 1}


def describe(surnames: Mapping[str, Sequence[str]], version: str, licence: str) -> str:
    """Write the README of the data set: source, licence, counts and known properties."""
    rows = "\n".join(_table_row(name, surnames[name]) for name in sorted(surnames))
    sizes = [len(names) for names in surnames.values()]
    total = sum(sizes)
    shared = shared_names(surnames)
    entries = sum(map(len, shared.values()))
    examples = "; ".join(f"{name} ({', '.join(shared[name])})" for name in list(shared)[:3])
    return f"""# Surnames of {len(surnames)} languages

{total} surnames in Latin script, one UTF-8 text file a language, one name a line, NFC
normalised, sorted, without duplicates inside a language.

Derived from the locale lists of the Python package
[faker](https://github.com/joke2k/faker) {version} (`faker.providers.person.<locale>`) by

    {_COMMAND}

which needs the extra `data`. The same version of faker gives the same bytes.
This file is written by that command too.

| Language | Names | Lists of faker | Remark |
|---|---:|---|---|
{rows}

## What was done to the lists

- Locales of one language are lumped. Only names of two or more Latin letters, besides space,
  apostrophe and hyphen, are kept; names in all capitals are capitalised.
- Frequent surnames of other languages (Khan in the British list, Nguyen in the French one) and
  entries that are no surname are left out by hand; `surname_sources.py` lists each of them.
- Languages with more than {LARGEST_CLASS} surnames are cut to the {LARGEST_CLASS} of smallest
  SHA-256, as good as at random, so that the largest class does not drown the smallest.
- Left out on purpose: close relatives of a language that is in (Czech beside Slovak, Norwegian
  and Danish beside Swedish, Slovenian beside Croatian), lists without a romanised form, lists
  of a whole country rather than of one language, short lists, and lists of first names.

## What to know when evaluating

- {len(shared)} names belong to several languages ({entries} of the {total} lines), for example
  {examples}.
  They are kept in each, so no classifier reaches 100 % on held-out names.
- Some languages inflect: a Slovak or Latvian family has two forms (Novák, Nováková), and the
  two may fall on different sides of a split.
- The classes are uneven ({min(sizes)} to {max(sizes)} names): look at the accuracy of each
  class, or at its mean over the classes, beside the total.

## Licence of the source

faker is published under the MIT licence, which its notice below must accompany:

```text
{licence}
```
"""


def _table_row(language_name: str, names: Sequence[str]) -> str:
    language = LANGUAGES[language_name]
    lists = ", ".join(f"`{source}`" for source in language.lists)
    if language.not_in:
        lists += " without " + ", ".join(f"`{source}`" for source in language.not_in)
    return f"| {language_name} | {len(names)} | {lists} | {language.remark} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status.

    >>> main(["one", "two"])
    2
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) > 1 or any(argument.startswith("-") for argument in given):
        print(f"usage: {_COMMAND} [FOLDER]   (default: {PACKAGED_FOLDER})", file=sys.stderr)
        return 2
    folder = Path(given[0]) if given else PACKAGED_FOLDER
    try:
        surnames = write_surnames(folder)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{folder}: {sum(map(len, surnames.values()))} names, {len(surnames)} languages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
