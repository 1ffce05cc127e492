"""The words of a conversation: who speaks, what is said, and what was made of it."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

UserId = NewType("UserId", str)
CounselId = NewType("CounselId", int)
TurnId = NewType("TurnId", int)
CharacterId = NewType("CharacterId", str)


class Mendable(Exception):
    """Something that people can mend: its text is one sentence that says what is wrong and the remedy."""


class EmotionLabel(StrEnum):
    """The eleven labels of `nlp04/korean_sentiment_analysis_kcelectra`, spelled as that model spells them."""

    HAPPY = "기쁨(행복한)"
    GRATEFUL = "고마운"
    EXPECTANT = "설레는(기대하는)"
    LOVING = "사랑하는"
    JOYFUL = "즐거운(신나는)"
    EVERYDAY = "일상적인"
    PENSIVE = "생각이 많은"
    SAD = "슬픔(우울한)"
    WEARY = "힘듦(지침)"
    ANNOYED = "짜증남"
    ANXIOUS = "걱정스러운(불안한)"


@dataclass(frozen=True, slots=True)
class Emotion:
    """What a text seems to feel: all labels, likeliest first. A guess: below its reader's threshold nobody names it."""

    ranking: tuple[tuple[EmotionLabel, float], ...]
    is_confident: bool

    @property
    def label(self) -> EmotionLabel:
        return self.ranking[0][0]

    @property
    def score(self) -> float:
        return self.ranking[0][1]


@dataclass(frozen=True, slots=True)
class Account:
    """Where a person is reached: a messenger and the key by which that messenger knows them."""

    messenger: str
    address: str
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """What a person sent. `id` is the messenger's own, so that a redelivery is recognised; `at` is aware."""

    account: Account
    id: str
    text: str
    at: datetime


class Scope(StrEnum):
    """What a person can allow: that turns are stored, and that they are recalled in later counsels."""

    STORAGE = "storage"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's answer to the question of one version, at one time. No scopes is a no."""

    scopes: frozenset[Scope]
    version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who talks. `consent` is None until they have answered: off the record, as after a no."""

    user_id: UserId
    character_id: CharacterId
    consent: Consent | None

    @property
    def is_on_record(self) -> bool:
        return self._allows(Scope.STORAGE)

    @property
    def is_remembered(self) -> bool:
        return self._allows(Scope.STORAGE) and self._allows(Scope.MEMORY)

    def _allows(self, scope: Scope) -> bool:
        return self.consent is not None and scope in self.consent.scopes


class Gravity(IntEnum):
    """How much a moment weighs: what a joking manner of speech must know."""

    LIGHT = 0
    """Glad, or nothing in particular."""
    HEAVY = 1
    """Sad, tired, annoyed or worried."""
    GRAVE = 2
    """Grief, panic, or having been hurt."""


@dataclass(frozen=True, slots=True)
class Decorations:
    """Small words around a character's sentences, up to the moment that weighs `until`.

    `openers` stand before the first sentence of a reply, `closers` in place of the full stop of a statement.
    """

    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    until: Gravity = Gravity.LIGHT


@dataclass(frozen=True, slots=True)
class Character:
    """Who answers. `renderer` is the `character_model` in use: `rule:seonbi`, `lora:expert`, `prompt` …

    `softened` renders in its place while the moment is grave.
    """

    id: CharacterId
    name: str
    name_en: str
    renderer: str
    persona: str
    greeting: str
    sample: str
    softened: str
    decorations: Decorations = Decorations()
    aliases: tuple[str, ...] = ()
    renderers: tuple[str, ...] = ()
    """What its file lists, in order of preference; `renderer` is the one in use."""
    softeners: tuple[str, ...] = ()

    @property
    def is_restyled(self) -> bool:
        """Whether a stylist renders the drafts."""
        return self.renderer.partition(":")[0] in {"rule", "kobart"}

    @property
    def is_acted(self) -> bool:
        """Whether the language model speaks as the character itself."""
        return self.renderer.partition(":")[0] in {"prompt", "lora"}

    @property
    def plain(self) -> "Character":
        """The same one with the manner of speech put down: drafts are shown as they are."""
        return replace(self, renderer="plain", decorations=Decorations())


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a turn, as the ERD keeps it: draft (`ai_message`), restyled (`change_dialog`), and why."""

    draft: str
    reply: str
    emotion: EmotionLabel
    recalled: tuple[TurnId, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange, or its first half while `answer` is None."""

    id: TurnId
    counsel_id: CounselId
    text: str
    at: datetime
    answer: Answer | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What a person said at an earlier time, recalled because it has to do with what they say now."""

    turn_id: TurnId
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """What a person felt as they said something: a guess, unless they corrected it."""

    at: datetime
    emotion: EmotionLabel
    counsel_id: CounselId


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a responder may know. `recent` is the open counsel, oldest first, without `text`.

    `memories` are from before it, the fittest first; `rejected` the drafts that the person wanted otherwise. Texts are
    of bounded length: `shorten` leaves the beginning and the end of longer ones.
    """

    text: str
    character: Character
    emotion: Emotion
    recent: tuple[Turn, ...]
    memories: tuple[Memory, ...] = ()
    rejected: tuple[str, ...] = ()
    stays_here: bool = False
    """Whether the words must not leave the operator's network: nobody has been told that they would."""


class Kind(StrEnum):
    """Why a part of a reply is said, for doors that show them differently."""

    SAID = "said"
    """In the character's tone."""
    NOTICE = "notice"
    """About Mentos itself: plain, never restyled."""
    CONSENT = "consent"
    """The consent question: a door may add buttons that send `/동의 네` or `/동의 아니요`."""
    CRISIS = "crisis"
    """Fixed, reviewed words with helplines: shown first, whole and unchanged."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a reply, to be shown as soon as it is there: a sentence, or a block with its own line breaks."""

    text: str
    kind: Kind = Kind.SAID


_LONE_SURROGATES = str.maketrans({chr(c): "\ufffd" for c in range(0xD800, 0xE000)})


def clean(text: str) -> str:
    """Text that every part can hold: NFC, lone surrogates replaced."""
    return unicodedata.normalize("NFC", text.translate(_LONE_SURROGATES))


def is_blank(text: str) -> bool:
    """Whether nothing is there to be read: only blanks, controls and zero-width marks."""
    return all(unicodedata.category(c)[0] in "ZC" for c in text)


READ_AT_MOST = 1_200


def shorten(text: str) -> str:
    """Leave as much of a text as can be thought about: the beginning and the end of what is longer."""
    if len(text) <= READ_AT_MOST:
        return text
    half = READ_AT_MOST // 2
    return f"{text[:half]} … {text[-half:]}"
