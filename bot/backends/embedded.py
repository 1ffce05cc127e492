"""The local models in this process: emotion and tone, as the conversation asks for them."""

from collections.abc import Mapping
from functools import cache

from bot.backends.scripted.responder import ScriptedCounsellor
from bot.conversation.model import Emotion, EmotionLabel
from inference_server.embedding import document, query
from inference_server.emotion import EmbeddedEmotion
from inference_server.korean import kiwi, morphemes
from inference_server.tone import RuleTone


class EmbeddedEmotions:
    """Fulfils `EmotionReader`. A reading takes about a millisecond, so the event loop does it itself."""

    def __init__(self, engine: EmbeddedEmotion) -> None:
        self._engine = engine

    async def read(self, text: str) -> Emotion:
        [ranking] = self._engine.read([text])
        return Emotion(
            tuple((EmotionLabel(label), score) for label, score in ranking.scores), is_confident=ranking.is_confident
        )


class RuleStylist:
    """Fulfils `Stylist` for `rule:…` renderers."""

    def __init__(self, engine: RuleTone) -> None:
        self._engine = engine

    @property
    def renderers(self) -> frozenset[str]:
        return frozenset(f"rule:{style}" for style in self._engine.styles)

    async def restyle(self, text: str, renderer: str) -> str:
        return self._engine.restyle(text, renderer.removeprefix("rule:"))


@cache
def load_emotions() -> EmbeddedEmotions:
    return EmbeddedEmotions(EmbeddedEmotion())


@cache
def load_stylist() -> RuleStylist:
    return RuleStylist(RuleTone())


def load_scripted() -> ScriptedCounsellor:
    return ScriptedCounsellor(analyse=morphemes, join=kiwi().join)


class EmbeddedEmbedder:
    """Fulfils the `Embedder` of memories with the terms that Kiwi finds."""

    def document(self, question: str, text: str, *, before: str) -> Mapping[str, float]:
        return document(question, text, before=before)

    def query(self, text: str) -> Mapping[str, float]:
        return query(text)


def load_embedder() -> EmbeddedEmbedder:
    return EmbeddedEmbedder()
