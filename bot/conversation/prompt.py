"""Character, recent turns and what was just said -> chat messages for a language model, within a token budget."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Template
from typing import Literal

from bot.conversation.model import Situation
from bot.resources import text


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


def tokens_at_most(content: str) -> int:
    """Count on the safe side where no tokenizer is at hand: a syllable is at most one token and a half."""
    return len(content) * 3 // 2 + 8


def compose(
    situation: Situation, *, budget: int, count: Callable[[str], int] = tokens_at_most
) -> tuple[ChatMessage, ...]:
    """Put the newest turns that fit between the instructions and the message. `budget` is in tokens, prompt only.

    A character that a stylist renders is not described to the model: style comes from one place.
    """
    character = situation.character
    persona = text("prompts/plain.md") if character.is_restyled else character.persona
    feeling = situation.emotion.label.value if situation.emotion.is_confident else "알 수 없음"
    instructions = Template(text("prompts/counsellor.md")).substitute(persona=persona.strip(), feeling=feeling)

    system = ChatMessage("system", instructions.strip())
    said = ChatMessage("user", situation.text)
    left = budget - count(system.content) - count(said.content)

    remembered: list[ChatMessage] = []
    for turn in reversed(situation.recent):
        if turn.answer is None or not turn.answer.draft:
            continue
        exchange = (ChatMessage("user", turn.text), ChatMessage("assistant", turn.answer.draft))
        left -= sum(count(message.content) for message in exchange)
        if left < 0:
            break
        remembered[:0] = exchange
    return (system, *remembered, said)
