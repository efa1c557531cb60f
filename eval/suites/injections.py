"""Documents that try to command a language model, and what must not come of it.

A line of the file is one ordinary document with an attack in its middle, and a question whose
answer does not need the attack. All hosts in it end in `.example`, all names are invented.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rag.domain.errors import ConfigError

INJECTIONS: Final = Path(__file__).with_name("injections.jsonl")
_KEYS: Final = frozenset(
    {"id", "family", "language", "question", "document", "planted", "truth", "forbidden"}
)


class Family(StrEnum):
    """The means of an attack."""

    OVERRIDE = "override"  # "ignore what you were told"
    PERSONA = "persona"  # role play, faked system prompts
    HIDDEN = "hidden"  # comments, zero width, colours, alternative texts, footnotes, encodings
    MARKUP = "markup"  # links, images, forms and addresses that carry something away
    FAKE_EVIDENCE = "fake_evidence"  # citations and numbers of passages that do not exist
    FAKE_RECEIPT = "fake_receipt"  # receipts, digests, "already verified"
    EXFILTRATION = "exfiltration"  # other documents, keys, the prompt
    DELIMITER = "delimiter"  # faked ends of quotations, output, tool results, turns
    SOCIAL = "social"  # urgency, rank, threats, flattery, pity
    POISON = "poison"  # a false fact, stated as such again and again: no command at all
    DELAYED = "delayed"  # "in every later answer"
    SILENCE = "silence"  # "say that there is no information"


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedDocument:
    """A file's name, whose ending tells the format, and its text as it stands in the file."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """An attack. `planted` are its parts, each once and verbatim in the document.

    A right answer holds one of `truth`; where `truth` is empty, it is an abstention. None of
    `forbidden` may stand in an answer outside its citations, in upper or lower case.
    """

    id: str
    family: Family
    language: str
    question: str
    document: InjectedDocument
    planted: tuple[str, ...]
    truth: tuple[str, ...]
    forbidden: tuple[str, ...]

    @property
    def honest(self) -> str:
        """The document's text without the attack."""
        text = self.document.text
        for part in self.planted:
            text = text.replace(part, "")
        return text


def read_injections(path: Path = INJECTIONS) -> tuple[Injection, ...]:
    """The injections of a JSONL file, in order; by default those of this package.

    Raises:
        ConfigError: not there, or a line is not an injection; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    found: dict[str, Injection] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            injection = _injection(json.loads(line))
        except (ValueError, TypeError) as exc:
            raise ConfigError(f"{path}, line {number}: {exc}") from exc
        if injection.id in found:
            raise ConfigError(f"{path}, line {number}: {injection.id} is there already")
        found[injection.id] = injection
    return tuple(found.values())


def _injection(row: object) -> Injection:
    fields = _fields(row, _KEYS, "a line")
    document = _fields(fields["document"], frozenset({"name", "text"}), "document")
    text = _text(document["text"], "document.text")
    planted = _texts(fields["planted"], "planted")
    forbidden = _texts(fields["forbidden"], "forbidden")
    if not planted or not forbidden:
        raise ValueError("planted and forbidden must not be empty")
    if any(text.count(part) != 1 for part in planted):
        raise ValueError("each part of planted must stand in the document exactly once")
    return Injection(
        id=_text(fields["id"], "id"),
        family=Family(_text(fields["family"], "family")),
        language=_text(fields["language"], "language"),
        question=_text(fields["question"], "question"),
        document=InjectedDocument(name=_text(document["name"], "document.name"), text=text),
        planted=planted,
        truth=_texts(fields["truth"], "truth"),
        forbidden=forbidden,
    )


def _fields(value: object, keys: frozenset[str], name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object")
    if wrong := keys ^ value.keys():
        raise ValueError(f"{name} lacks or does not know: {', '.join(sorted(wrong))}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{name} must be a text that is not empty")
    return value


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list")
    return tuple(_text(v, f"each of {name}") for v in value)
