"""Conversations as chatbots send them, and the one question at their end."""

import json
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from api.doors.spoken import Spoken
from api.room import Room
from rag.adapters.store.journal import Key
from rag.answer.conversation import self_contained
from rag.answer.pipeline import Sealed
from rag.domain.answer import Policy, Question
from rag.domain.errors import BadRequest, QuestionTooLong

MESSAGES_MAX: Final = 1_000
_USER: Final = "user"
# Of the earlier questions only the nearest can matter.
_REMEMBERED: Final = 8


class Loose(BaseModel):
    """Clients send many options that mean nothing here; they are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")


class ContentPart(Loose):
    type: str
    text: str = ""


class Message(Loose):
    """A message; of system and assistant messages nothing is taken."""

    role: str
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


def asked_in(messages: Sequence[Message], key: Key, room: Room) -> Question:
    """What the conversation asks at its end, so that it stands alone.

    Raises:
        BadRequest: the user says nothing in it.
        QuestionTooLong: the last message is.
    """
    asked = [m.text for m in messages if m.role == _USER and m.text.strip()]
    if not asked:
        raise BadRequest("no message of the role `user` says anything")
    limit = room.settings.server.question_max_chars
    if len(asked[-1]) > limit:
        raise QuestionTooLong(f"the question has {len(asked[-1])} characters, over {limit}")
    text = self_contained([a[:limit] for a in asked[-_REMEMBERED:]])
    policy = Policy(room.settings.verification.policy)
    return Question(text=text[:limit], principal=key.principal, policy=policy)


def spoken_of(
    sealed: Sealed, question: Question, model: str, created: int, base_url: str
) -> Spoken:
    """What a door renders of a sealed answer."""
    return Spoken(
        body=json.loads(sealed.body), question=question.text, model=model, created=created,
        base_url=base_url,
    )  # fmt: skip
