"""From a question to what is searched for."""

from dataclasses import dataclass
from typing import Final

from rag.domain.words import content_words, words

# More terms than this make BM25 slow and no better: the rarest decide anyway.
TERMS_MAX: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`terms` are looked up in the lexical index, any of them may match; `text` is embedded."""

    text: str
    terms: tuple[str, ...]


def plan_query(question: str) -> Query:
    """The query for one question; a question of stop words alone is searched by all its words."""
    text = " ".join(question.split())
    terms = tuple(dict.fromkeys(content_words(text))) or tuple(dict.fromkeys(words(text)))
    return Query(text=text, terms=terms[:TERMS_MAX])
