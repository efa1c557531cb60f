"""Text as it is judged: marks that carry no assertion become spaces, so no position moves."""

import re
from typing import Final

# One code point for one: spans found in the result are spans of the original.
_LOOKALIKES: Final = str.maketrans(
    {
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u02da": "°", "\u00ba": "°", "\u2044": "/",
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    }
)  # fmt: skip

# "3. März" is a date; "2. June Whitfield" is the second of a list.
_GERMAN_MONTH: Final = (
    r"(?:Jan(?:uar)?|Feb(?:ruar)?|M[äa]rz?|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Okt(?:ober)?|Nov(?:ember)?|Dez(?:ember)?)\b"
)

# Emphasis, headings, quote marks, bullets, list numbering, citation marks and references to
# numbered evidence ("passages 1 and 3"): their digits number things, they assert nothing.
_MARKS: Final = re.compile(
    r"\*+|__+|`+|~~"
    r"|^[ \t]*(?:#{1,6}|>+)(?=\s)"
    r"|^[ \t]*[-+•·‣](?=\s)"
    rf"|^[ \t]*\(?(?:\d{{1,2}}(?:\.\d{{1,2}})*[.)]|[a-zA-Z]\))(?=\s+(?!{_GERMAN_MONTH}))"
    # Two spaces after a small number, as in flattened lists: "a nursing home.2  $229 per day".
    r"|(?:^|(?<=[^\W\d][.!?;:)])|(?<=[.!?;] )|(?<=: )(?=1 ))(?:1?\d|20)(?= {2,4}(?-i:[A-Z$€£]))"
    r"|^[ \t]*(?:step|schritt)\s+\d{1,2}\s*[:.)-]"
    r"|\[\^?\d{1,3}(?:\s*[,;-]\s*\d{1,3})*\]|【[^】]*】"
    r"|\b(?:passages?|sources?|documents?|excerpts?|contexts?)\s+#?\d{1,2}\b(?!\s*[%$€£])"
    r"(?:(?:\s*,\s*|\s*,?\s*(?:and|or|&|to|-)\s+)(?:passage\s+)?#?\d{1,2}\b(?!\s*[%\w]))*",
    re.MULTILINE | re.IGNORECASE,
)
_LEADING_EMPHASIS: Final = re.compile(r"\*+|__+|`+")


def judged_text(text: str) -> str:
    """`text` with markdown, list numbering and citation marks blanked out, the same length.

    Dashes and quotes are reduced to ASCII one for one, so every position stays valid.
    """
    plain = _LEADING_EMPHASIS.sub(_blank, text.translate(_LOOKALIKES))
    return _MARKS.sub(_blank, plain)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", " ", match.group())
