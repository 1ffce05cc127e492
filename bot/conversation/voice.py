"""A draft in plain 해요체 -> the sentences that a character says."""

import zlib

from bot.conversation.model import Character, Gravity
from bot.conversation.ports import Stylist


class Voice:
    """A character's manner of speech for one reply. The same words are always said the same way."""

    def __init__(self, character: Character, gravity: Gravity, *, stylist: Stylist, seed: str) -> None:
        self._character = character
        self._gravity = gravity
        self._stylist = stylist
        self._seed = seed
        self._said = 0

    async def say(self, sentence: str) -> str:
        if not self._character.is_restyled:
            return sentence
        self._said = number = self._said + 1  # before the next sentence comes, which need not wait for this one
        is_grave = self._gravity is Gravity.GRAVE
        styled = await self._stylist.restyle(
            sentence, self._character.softened if is_grave else self._character.renderer
        )
        if self._gravity > self._character.decorations.until or any(c.isdigit() for c in sentence):
            return styled
        return self._decorated(styled, number)

    def _decorated(self, sentence: str, number: int) -> str:
        """Add a small word to every other sentence at most; numbers, and so helplines, are never adorned."""
        decorations = self._character.decorations
        ends = sentence.endswith(".") and not sentence.endswith("..")
        if decorations.closers and ends and self._draw("close", number, 2):
            sentence = sentence[:-1] + decorations.closers[self._draw("closer", number, len(decorations.closers))]
        if decorations.openers and number == 1 and self._draw("open", number, 2):
            opener = decorations.openers[self._draw("opener", number, len(decorations.openers))]
            sentence = f"{opener} {sentence}"
        return sentence

    def _draw(self, what: str, number: int, sides: int) -> int:
        """Throw a die that always falls the same for the same words: 0 to `sides` - 1."""
        return zlib.crc32(f"{what} {number} {self._seed}".encode(errors="replace")) % sides
