"""What a person can tell Mentos to do, in the same words everywhere: `/말투 선비`, `/동의 네`, `/다시`."""

from dataclasses import dataclass
from enum import StrEnum

from bot.conversation.model import Scope


class Verb(StrEnum):
    TONE = "tone"
    CONSENT = "consent"
    NEW = "new"
    AGAIN = "again"
    UNDO = "undo"
    EMOTION = "emotion"
    MOOD = "mood"
    PLAN = "plan"
    HELP = "help"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    verb: Verb
    argument: str


_VERBS = {
    "말투": Verb.TONE,
    "tone": Verb.TONE,
    "동의": Verb.CONSENT,
    "consent": Verb.CONSENT,
    "새상담": Verb.NEW,
    "그만": Verb.NEW,
    "new": Verb.NEW,
    "다시": Verb.AGAIN,
    "again": Verb.AGAIN,
    "취소": Verb.UNDO,
    "undo": Verb.UNDO,
    "감정": Verb.EMOTION,
    "emotion": Verb.EMOTION,
    "기분": Verb.MOOD,
    "mood": Verb.MOOD,
    "안전계획": Verb.PLAN,
    "safetyplan": Verb.PLAN,
    "도움말": Verb.HELP,
    "help": Verb.HELP,
}

_EVERYTHING = frozenset(Scope)
# "괜찮아요" is a yes to some and a "no, thank you" to others: no answer
_ANSWERS: dict[frozenset[Scope], str] = {
    frozenset(Scope): "네 넵 넹 예 응 어 웅 ㅇㅇ ㅇㅋ 그래 그래요 좋아 좋아요 동의 동의해 동의해요 동의합니다 yes y ok",
    frozenset({Scope.STORAGE}): "저장만 저장만요 기록만 storage",
    frozenset(): "아니요 아니오 아뇨 아니 노 ㄴㄴ 싫어 싫어요 안해요 안돼요 거절 no n",
}


def parse(text: str) -> Command | None:
    """Read a command, or None where the text is just something said."""
    text = text.strip()
    if not text.startswith("/") or "\n" in text:
        return None
    word, _, argument = text[1:].partition(" ")
    command = Command(_VERBS.get(word.strip().lower(), Verb.UNKNOWN), argument.strip())
    return command if len(text) <= 100 or command.verb is Verb.PLAN else None


def read_consent(text: str) -> frozenset[Scope] | None:
    """Read an answer to the consent question: the scopes allowed, none of them for a no, None where it is no answer."""
    said = "".join(text.lower().split()).strip(".,!~^ㅎㅋ☺️😊🙂")
    return next((scopes for scopes, words in _ANSWERS.items() if said in words.split()), None)
