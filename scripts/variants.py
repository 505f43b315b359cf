"""Makes hub/matching/variants.txt, the table of variant characters, from the dictionaries of OpenCC.

Run it with a Python that has the two packages (they are no dependencies of ours):

    pip install opencc==1.4.2 pypinyin-dict==0.9.0
    python scripts/variants.py hub/matching/variants.txt tests/hub/matching/standard.txt

The second file gets the 8,105 characters of 《通用规范汉字表》 (State Council, 2013), against which the table is made
and tested. A table that changes makes another version of matching: see `hub.matching.comparing.MATCHING`.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

STANDARD_CHARACTERS = 8105
OPENCC, PYPINYIN_DICT = "1.4.2", "0.9.0"
HEAD = f"""\
# Variant characters (traditional forms and 异体字) and the characters as which they are compared.
# Made by scripts/variants.py from the dictionaries of OpenCC {OPENCC} (https://github.com/BYVoid/OpenCC, Apache License
# 2.0) and, for the standard characters, pypinyin-dict {PYPINYIN_DICT} (MIT); changed in form and choice. Do not edit.
#   fold: each character, followed by the one it is compared as. No standard character is ever folded.
#   same: traditional characters that are one character in two forms, in pairs.
#   doubt: each character, followed by one that it is at times written as and at times is not.
"""
PER_LINE = 40


def read(name: str) -> dict[str, list[str]]:
    """A dictionary of OpenCC, single characters only: each with what it may become, the likeliest first."""
    package = Path(str(importlib.import_module("opencc").__file__)).parent / "clib"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.txt"
        # The program and the dictionary are the package's own.
        subprocess.run(  # noqa: S603
            [
                *(package / "bin" / "opencc_dict", "-f", "ocd2", "-t", "text"),
                *("-i", package / "share" / "opencc" / f"{name}.ocd2", "-o", made),
            ],
            check=True,
        )
        lines = [line.split("\t") for line in made.read_text("utf-8").splitlines() if "\t" in line]
    found = {key: [c for c in values.split(" ") if len(c) == 1] for key, values in lines if len(key) == 1}
    return {key: values for key, values in found.items() if values}


def standard() -> str:
    """The characters of 《通用规范汉字表》 by code point."""
    data = importlib.import_module("pypinyin_dict.pinyin_data.kmandarin_8105").pinyin_dict
    if len(data) != STANDARD_CHARACTERS:
        raise ValueError(len(data))
    return "".join(chr(point) for point in sorted(data))


def pairs(found: dict[str, str] | set[tuple[str, str]]) -> str:
    """Pairs of characters in order, some to a line."""
    items = sorted(found.items() if isinstance(found, dict) else found)
    words = [one + other for one, other in items]
    return "\n".join(" ".join(words[i : i + PER_LINE]) for i in range(0, len(words), PER_LINE))


def table(characters: str) -> str:
    """The text of the table."""
    known = set(characters)
    simpler = read("TSCharacters") | read("TSCharactersExt")
    forms = [read(name) for name in ("TWVariants", "HKVariants")]
    fold: dict[str, str] = {}
    doubt: set[tuple[str, str]] = set()
    for character, candidates in simpler.items():
        others = [c for c in candidates if c != character]
        if character not in known and others and (candidates[0] != character or others[0] not in known):
            # One-sided: what keeps its form in OpenCC's first choice is folded only by the rule for components.
            fold[character] = others.pop(0)
        doubt |= {(character, other) for other in others}
    same: set[tuple[str, str]] = set()
    for form in forms:
        for character, candidates in form.items():
            # Forms that a standard character stands among are folded into it, or are two characters.
            if len(candidates) == 1 and not {character, candidates[0]} & known and character != candidates[0]:
                same.add((character, candidates[0]))
            for other in candidates:
                if len({character, other} & known) == 1 and character not in fold and other not in fold:
                    old, new = (other, character) if character in known else (character, other)
                    fold[old] = new
    # A chain ends at its last character; what ends at itself is no variant.
    for character in list(fold):
        end, steps = fold[character], 0
        while end in fold and end not in known and steps < len(fold):
            end, steps = fold[end], steps + 1
        fold[character] = end
    # What Unicode itself takes for another form of a character is folded before this table is asked.
    fold = {c: t for c, t in fold.items() if c != t and unicodedata.normalize("NFKC", c) == c}
    doubt = {(a, b) for a, b in doubt if fold.get(a, a) != fold.get(b, b)}
    sections = (("fold", pairs(fold)), ("same", pairs(same)), ("doubt", pairs(doubt)))
    return HEAD + "".join(f"[{name}]\n{text}\n" for name, text in sections)


def main(into: Path, characters_into: Path) -> None:
    """Write both files."""
    characters = standard()
    into.write_text(table(characters), "utf-8")
    lines = "\n".join(characters[i : i + 100] for i in range(0, len(characters), 100))
    characters_into.write_text(lines + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
