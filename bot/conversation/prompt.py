"""Character, memories, recent turns and what was just said -> chat messages for a model, within a token budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from string import Template
from typing import Literal

from bot.conversation.model import Memory, Situation, Turn
from bot.resources import text
from bot.safety.assess import means_danger
from bot.safety.replies import is_crisis


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


def tokens_at_most(content: str) -> int:
    """Count on the safe side where no tokenizer is at hand: a syllable is at most one token and a half."""
    return len(content) * 3 // 2 + 8


MEMORY_TOKENS = 400
MEMORY_LENGTH = 120


def remembered(memories: Sequence[Memory]) -> tuple[Memory, ...]:
    """Leave the fittest memories that fit into `MEMORY_TOKENS`, none of them about danger: nobody is reminded of it."""
    left = MEMORY_TOKENS
    kept = []
    for memory in memories:
        text = " ".join(memory.text.split())
        text = text if len(text) <= MEMORY_LENGTH else f"{text[: MEMORY_LENGTH - 1]}…"
        if means_danger(memory.text):
            continue
        left -= tokens_at_most(text)
        if left < 0:
            break
        kept.append(replace(memory, text=text))
    return tuple(kept)


def compose(
    situation: Situation, *, budget: int, count: Callable[[str], int] = tokens_at_most
) -> tuple[ChatMessage, ...]:
    """Put the newest turns that fit between the instructions and the message. `budget` is in tokens, prompt only.

    A character that a stylist renders is not described to the model: style comes from one place.
    """
    character = situation.character
    memories = "\n".join(f"- {memory.at:%Y-%m-%d}: {memory.text}" for memory in situation.memories)
    persona = character.persona if character.is_acted else text("prompts/plain.md")
    feeling = situation.emotion.label.value if situation.emotion.is_confident else "알 수 없음"
    instructions = Template(text("prompts/counsellor.md")).substitute(persona=persona.strip(), feeling=feeling)
    if memories:
        instructions += Template(text("prompts/memories.md")).substitute(memories=memories)

    system = ChatMessage("system", instructions.strip())
    said = ChatMessage("user", situation.text)
    left = budget - count(system.content) - count(said.content)

    earlier: list[ChatMessage] = []
    for turn in reversed(situation.recent):
        if turn.answer is None or not turn.answer.draft or _is_of_danger(turn):
            continue
        exchange = (ChatMessage("user", turn.text), ChatMessage("assistant", turn.answer.draft))
        left -= sum(count(message.content) for message in exchange)
        if left < 0:
            break
        earlier[:0] = exchange
    return (system, *earlier, said)


def _is_of_danger(turn: Turn) -> bool:
    """Whether a turn was, or was answered as, danger: it stays between the person and the fixed words."""
    return means_danger(turn.text) or (turn.answer is not None and is_crisis(turn.answer.draft))
