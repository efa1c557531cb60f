"""Questions about something that is itself only described: `Who leads the team that owns weir?`."""

import re
from dataclasses import dataclass
from typing import Final

from rag.domain.premise import as_of
from rag.domain.words import words

_DESCRIBED: Final = re.compile(
    r"^(?P<before>.+?\b)the (?P<what>\w+(?: \w+)?) (?P<link>that|which|who|where|whose) "
    r"(?P<clause>[^,?]{4,80}?)(?P<after>\?|,[^?]*\?)$",
    re.IGNORECASE,
)
# "Is the service that I use free?" asks nothing of a thing that is looked up.
_BEFORE_WORDS_MIN: Final = 2
_PERSONS: Final = frozenset({"person", "people", "colleague", "employee", "one"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """`first` asks what is meant; `second` is the question with its answer put in."""

    first: str
    before: str
    after: str

    def second(self, answer: str) -> str:
        """The question about what the first one found."""
        return f"{self.before}{answer}{self.after}"


def bridge_of(question: str) -> Bridge | None:
    """The two questions in one, None where nothing is described by a clause of its own."""
    found = _DESCRIBED.match(" ".join(question.split()))
    if found is None or len(words(found["before"])) < _BEFORE_WORDS_MIN or as_of(question):
        return None
    what, link, clause = found["what"], found["link"].lower(), found["clause"].strip()
    if link == "whose":
        first = f"Whose {clause}?"
    elif link == "where":
        first = f"Where is it that {clause}?"
    else:
        who = "Who" if what.casefold() in _PERSONS else f"Which {what}"
        first = f"{who} {clause}?"
    return Bridge(first=first, before=found["before"], after=found["after"])
