"""What every door renders: one sealed answer, and the conversation that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An answer on its way through a door.

    `body` is the native answer's row (docs/api.md), `question` what was asked after the
    conversation was read, `model` the name that the caller gave, `created` Unix seconds, and
    `base_url` what makes the links absolute.
    """

    body: Mapping[str, Any]
    question: str
    model: str
    created: int
    base_url: str

    @property
    def text(self) -> str:
        return str(self.body["text"])

    @property
    def n_tokens(self) -> int:
        """What language models have used; 0 where none wrote."""
        return sum(int(step["tokens"]) for step in self.body["activity"])

    @property
    def extra(self) -> dict[str, Any]:
        """The whole answer, for callers who know Sworn."""
        return {"question": self.question, **self.body}

    def url(self, citation: Mapping[str, Any]) -> str:
        """Where the citation can be read; never empty."""
        return self.base_url.rstrip("/") + str(citation["source"]["url"])
