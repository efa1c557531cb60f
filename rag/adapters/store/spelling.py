"""Words that are written nearly alike: a question's typing errors against the index's terms.

Edits and the choice by frequency as in Norvig, "How to Write a Spelling Corrector" (2007);
exchanging two neighbours is one edit (Damerau, 1964). Measured in ADR 0017.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

RESPELLINGS_MAX: Final = 5
# A stem of four letters has too many neighbours to guess, one of eight few enough to guess twice.
_ONE_EDIT_LETTERS: Final = 5
_TWO_EDITS_LETTERS: Final = 8
_ENDINGS: Final = ("", "e", "s", "ee", "es", "ed", "ing", "ion", "al", "y", "ment", "er")


def can_be_misspelt(term: str) -> bool:
    """Whether a term is a word long enough to be recognised with an error in it."""
    return term.isalpha() and len(term) >= _ONE_EDIT_LETTERS


def stems_of(terms: Sequence[str]) -> list[str]:
    """The terms as the lexical index writes them: its own tokenizer says how."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(
            "CREATE VIRTUAL TABLE word USING fts5 (w, tokenize='porter unicode61 remove_diacritics 2')"
        )
        connection.execute("CREATE VIRTUAL TABLE term USING fts5vocab (word, instance)")
        connection.executemany(
            "INSERT INTO word (rowid, w) VALUES (?, ?)", list(enumerate(terms, 1))
        )
        rows = connection.execute("SELECT doc, term FROM term").fetchall()
    finally:
        connection.close()
    found = {int(row): str(stemmed) for row, stemmed in rows}
    return [found.get(n, term) for n, term in enumerate(terms, 1)]


def words_of(stems: Sequence[str]) -> list[str]:
    """A word for each stem, as far as one is found: the index stems whatever it is asked for."""
    # What ends in `i` was mostly written with a `y`.
    forms = [
        [f"{s[:-1]}y" if s.endswith("i") else s, *(f"{s}{end}" for end in _ENDINGS)] for s in stems
    ]
    made = iter(stems_of([form for some in forms for form in some]))
    fitting = [
        [form for form in some if next(made) == stemmed]
        for some, stemmed in zip(forms, stems, strict=True)
    ]
    return [some[0] for some in fitting if some]


def nearest(word: str, known: Sequence[tuple[str, int]]) -> list[str]:
    """The terms one edit away, of long words else those two away; the most frequent first.

    Args:
        known: terms with the number of texts that hold them.
    """
    if len(word) < _ONE_EDIT_LETTERS:
        return []
    near: dict[int, list[tuple[int, str]]] = {1: [], 2: []}
    for term, n in known:
        if term.isalpha() and abs(len(term) - len(word)) <= 2:
            edits = distance(word, term)
            if edits in near:
                near[edits].append((-n, term))
    chosen = near[1] or (near[2] if len(word) >= _TWO_EDITS_LETTERS else [])
    return [term for _, term in sorted(chosen)]


def distance(a: str, b: str) -> int:
    """Edits from one to the other; exchanging two neighbours is one (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
