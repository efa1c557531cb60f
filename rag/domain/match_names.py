"""Whether a claim's names are backed by its evidence, also under an alias."""

import re
from typing import Final

from rag.domain.extraction import Facts
from rag.domain.names import Name, is_german
from rag.domain.words import STOP_WORDS, stem

_ALIASES: Final = tuple(
    frozenset(row.split())
    for row in (
        "us usa america american states", "uk britain british england english kingdom",
        "eu europe european union", "germany german deutschland", "france french",
        "spain spanish", "netherlands dutch holland", "switzerland swiss", "greece greek",
        "denmark danish", "poland polish", "wales welsh", "it technology", "hr human",
        "tv television", "wifi wi-fi wireless wlan", "ceo chief", "cfo chief", "cto chief",
    )
)  # fmt: skip


def backs_name(claimed: Name, ours: Facts, theirs: Facts) -> bool:
    """Whether the evidence has the name, or an alias: last name, acronym, expansion, demonym.

    An acronym that the claim spells out itself adds nothing to what it spells out.
    """
    if claimed.kind == "identifier":
        return _has_identifier(claimed.parts[0], theirs)
    parts = claimed.parts
    backed = [_has_word(p, theirs) for p in parts]
    if claimed.is_loose and not backed[0]:
        parts, backed = parts[1:], backed[1:]
    if all(backed):
        return len(parts) < len(claimed.parts) or _agrees_with_first_name(claimed, theirs)
    if _is_abbreviated(parts, theirs) or _is_defined(claimed, ours, theirs):
        return True
    if not any(backed):
        return False
    if backed[-1]:
        return not _clashes_before(parts, backed, theirs)
    return not _clashes_after(parts, backed, theirs)


def opening_clash(claimed: Name, ours: Facts, theirs: Facts) -> str | None:
    """The other name in the place of one that opens the claim, or None.

    `Calder approves …` against `Okafor approves …`: both precede the same singular verb.
    """
    word = claimed.parts[0]
    if _has_word(word, theirs) or is_german(ours.judged) or _is_abbreviated((word,), theirs):
        return None
    follower = re.match(r"(?:'s)?\s+([a-z]+)", ours.judged[claimed.span.end :])
    if follower is None or not _is_singular_verb(follower.group(1)) or not _may_be_a_person(word):
        return None
    beside = re.compile(rf"([A-Z][\w'-]+)\s+{re.escape(follower.group(1))}\b")
    for match in beside.finditer(theirs.judged):
        other = match.group(1)
        if other.casefold() not in ours.words | STOP_WORDS and _may_be_a_person(other.casefold()):
            return other
    return None


def _has_word(part: str, theirs: Facts) -> bool:
    if part in theirs.words or any(part in row and row & theirs.words for row in _ALIASES):
        return True
    root = stem(part)
    if any(root in stems for stems in theirs.segment_stems):
        return True
    if "-" in part or "&" in part or "/" in part:
        pieces = [p for p in re.split(r"[-&/]", part) if p]
        return bool(pieces) and all(_has_word(p, theirs) for p in pieces)
    # Demonyms, compounds and near spellings share a long beginning.
    return len(part) >= 5 and any(
        w.startswith(part[: max(5, len(part) - 3)]) or part.startswith(w)
        for w in theirs.words
        if len(w) >= 5
    )


def _has_identifier(identity: str, theirs: Facts) -> bool:
    if any(n.parts[0] == identity for n in theirs.names if n.kind == "identifier"):
        return True
    folded = theirs.judged.casefold()
    squeezed = re.sub(r"[\s()./+_-]", "", folded)
    edge = r"[^\W_]"
    # "B12" is also "B 12" and "B-12".
    written = r"[\s-]?".join(map(re.escape, re.findall(r"[^\W\d_]+|[\W\d_]+", identity)))
    if re.search(rf"(?<!{edge}){written}(?!{edge})", folded):
        return True
    return len(identity) >= 5 and re.sub(r"[\s()./+_-]", "", identity) in squeezed


def _is_abbreviated(parts: tuple[str, ...], theirs: Facts) -> bool:
    """Initials either way: `ECB` for European Central Bank, and back."""
    if len(parts) > 1:
        initials = "".join(p[0] for p in parts)
        return any(w.startswith(initials) and len(w) <= len(initials) + 1 for w in theirs.words)
    letters = re.sub(r"[^a-z]", "", parts[0]).removesuffix("s") or parts[0]
    if not 2 <= len(letters) <= 6:
        return False
    gap = r"\w*(?:[\s-]+(?:of|the|and|for|in|&|to|on))?[\s-]+"
    spelled = r"\b" + gap.join(map(re.escape, letters)) + r"\w+"
    return re.search(spelled, theirs.judged.casefold()) is not None


def _is_defined(claimed: Name, ours: Facts, theirs: Facts) -> bool:
    """Whether the claim spells the acronym out itself, in words that the evidence has."""
    if claimed.kind != "acronym":
        return False
    before = ours.judged[max(0, claimed.span.start - 90) : claimed.span.start].casefold()
    if not before.rstrip(' "').endswith("("):
        return False
    said = re.findall(r"[^\W_]+", before)
    letters = claimed.parts[0].removesuffix("s")
    for n in range(1, min(len(said), len(letters) + 2) + 1):
        phrase = said[-n:]
        if phrase[0][0] == letters[0] and _are_in_order(letters, "".join(phrase)):
            return all(w in STOP_WORDS or _has_word(w, theirs) for w in phrase)
    return False


def _are_in_order(letters: str, text: str) -> bool:
    rest = iter(text)
    return all(c in rest for c in letters)


def _agrees_with_first_name(claimed: Name, theirs: Facts) -> bool:
    """`Ben Calder` is not backed by Ines Calder and Ben Okafor, though all its words are there."""
    if len(claimed.parts) != 2:
        return True
    first, last = claimed.parts
    runs = [n.parts for n in theirs.names if n.kind == "proper"]
    whole = any(first in r and last in r for r in runs)
    if whole or re.search(
        rf"\b{re.escape(first)}\W+(?:\w+\W+)?{re.escape(last)}", theirs.judged.casefold()
    ):
        return True
    firsts = {r[0] for r in runs if len(r) == 2 and r[1] == last}
    lasts = {r[1] for r in runs if len(r) == 2 and r[0] == first}
    alone = any(r in {(last,), (first,)} for r in runs)
    return alone or not (firsts and lasts)


def _clashes_before(parts: tuple[str, ...], backed: list[bool], theirs: Facts) -> bool:
    """The last name is there, but only with another first name."""
    wrong = [p for p, ok in zip(parts, backed, strict=True) if not ok]
    rivals = [n.parts for n in theirs.names if len(n.parts) > 1 and n.parts[-1] == parts[-1]]
    return bool(rivals) and all(r[0][0] != wrong[0][0] for r in rivals) and len(parts) == 2


def _clashes_after(parts: tuple[str, ...], backed: list[bool], theirs: Facts) -> bool:
    """The first name is there, but with another last name."""
    last_backed = max(i for i, ok in enumerate(backed) if ok)
    known, wrong = parts[last_backed], parts[last_backed + 1]
    followers = [
        n.parts[n.parts.index(known) + 1]
        for n in theirs.names
        if known in n.parts[:-1] and n.kind == "proper"
    ]
    return bool(followers) and all(f[0] != wrong[0] or len(f) > 1 for f in followers)


_COMMON_ENDINGS: Final = (
    "ing", "tion", "sion", "ment", "ity", "ness", "ance", "ence", "ism", "ware", "ship",
)  # fmt: skip


def _is_singular_verb(word: str) -> bool:
    return word in {"is", "was", "has", "does", "will"} or (
        word.endswith("s") and not word.endswith(("ss", "us", "ns")) and len(word) > 3
    )


def _may_be_a_person(word: str) -> bool:
    return word not in STOP_WORDS and len(word) > 2 and not word.endswith(_COMMON_ENDINGS)
