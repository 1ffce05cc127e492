"""A visitor's desk as HTML: every word of a person or a model is escaped here, and nowhere made into anything else."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from zlib import crc32

from bot.conversation.model import Account, Character, EmotionLabel, Kind, Moment, Part
from bot.conversation.mood import described
from bot.messengers.web.desk import Desk, Line
from bot.resources import toml
from bot.safety.replies import in_language, numbers

SHOWN_AT_MOST = 4_000


class View:
    """One language's."""

    def __init__(
        self,
        *,
        language: str,
        strings: Mapping[str, Mapping[str, Mapping[str, str]]],
        characters: Sequence[Character],
        guest_hours: float,
    ) -> None:
        self._language = language
        self._prefix = "" if language == "ko" else f"/{language}"
        self._words = strings[language]["web"]
        self._moods = strings[language]["mood"]
        own = strings[language]["core"]
        self._own = {said: own[key] for others in strings.values() for key, said in others["core"].items()}
        self._characters = characters
        self._guest_hours = guest_hours

    # What changes.

    def talk(self, desk: Desk, account: Account, *, is_left: bool = False) -> str:
        """The conversation, and under it what can be done about it. One that is left is told nothing more."""
        lines = desk.lines()
        greeting = "" if lines else self._greeting(self._character_of(desk))
        shown = "".join(self._line(line) for line in lines)
        return (
            f'<div class="log" role="log" aria-live="polite" aria-label="{self._say("log")}" '
            f'aria-busy="{str(desk.is_busy).lower()}" data-heard="{escape(" ".join(desk.heard))}" '
            f'data-who="{crc32(account.address.encode()):x}"{" data-left" * is_left}>'
            f"{greeting}{shown}</div>"
            f'<div class="after">{self._after(desk, lines)}</div>'
        )

    def side(self, desk: Desk, account: Account) -> str:
        """Tones, mood and who one is here."""
        return f"{self._tones(desk)}{self._mood(desk)}{self._identity(account)}"

    def nobody(self) -> str:
        """What is said to a browser that keeps no cookie."""
        return f'<div class="log"><p class="notice">{self._say("no_cookie")}</p></div>'

    @property
    def too_long(self) -> Part:
        return Part(self._words["too_long"], Kind.NOTICE)

    # What stays.

    def top(self) -> str:
        other = "en" if self._language == "ko" else "ko"
        return (
            f'<header class="top"><span class="mark" aria-hidden="true"></span><h1>{self._say("title")}</h1>'
            f"<p>{self._say('ai')}</p><nav>"
            f'<button type="button" class="quiet narrow" data-toggle="side" aria-expanded="false" '
            f'aria-controls="side">{self._say("side")}</button>'
            f'<a class="quiet" href="/language/{other}" lang="{other}" hreflang="{other}">'
            f"{self._say('other_language')}</a></nav></header>"
        )

    def composer(self) -> str:
        return (
            f'<p class="lost" role="alert" data-text="{self._say("lost")}" '
            f'data-back="{self._say("back")}"></p>'
            f'<form class="composer" data-language="{self._language}">'
            f'<label class="unseen" for="words">{self._say("message")}</label>'
            f'<textarea id="words" rows="1" autocomplete="off" placeholder="{self._say("placeholder")}" '
            f'aria-describedby="hint" data-too-long="{self._say("too_long")}"></textarea>'
            f'<button type="submit" class="send" aria-label="{self._say("send")}">{_ARROW}</button></form>'
            f'<p id="hint" class="hint">{self._say("hint")}</p>'
        )

    def hotlines(self) -> str:
        """The numbers that are always in sight, as links that a phone can call."""
        lines = toml("hotlines.toml")
        shown = (
            f'<a href="tel:{lines[name]["number"]}"><b>{lines[name]["number"]}</b> '
            f"{escape(lines[name][self._language])}</a>"
            for name in ("suicide", "rescue", "police")
        )
        return f'<span class="urgent">{self._say("urgent")}</span> {" ".join(shown)}'

    # Pieces.

    def _line(self, line: Line) -> str:
        answered = "".join(self._run(kind, self._own_help(kind, texts)) for kind, texts in line.runs)
        waiting = _WAITING.format(words=self._say("thinking")) if line.is_waiting else ""
        return (
            f'<div class="turn"><div class="you"><span class="unseen">{self._say("you")}: </span>'
            f'<p dir="auto">{self._written(line.words)}</p></div>{answered}{waiting}</div>'
        )

    def _own_help(self, kind: Kind, texts: Sequence[str]) -> Sequence[str]:
        """Give the fixed words in the language of the page, whatever the core speaks."""
        return [in_language(text, self._language) for text in texts] if kind is Kind.CRISIS else texts

    def _run(self, kind: Kind, texts: Sequence[str]) -> str:
        pieces = [f"<span>{escape(text)}</span>" for text in texts]
        match kind:
            case Kind.CRISIS:
                numbered = "".join(f"<p>{_callable(text)}</p>" for text in texts)
                return f'<section class="crisis" role="alert" aria-label="{self._say("urgent")}">{numbered}</section>'
            case Kind.SAID:
                return (
                    f'<div class="mentos"><span class="unseen">{self._say("title")}: </span>'
                    f'<p dir="auto">{" ".join(pieces)}</p></div>'
                )
            case _:
                return f'<p class="notice">{"<br>".join(pieces)}</p>'

    def _greeting(self, character: Character) -> str:
        starters = "".join(
            f'<button type="button" class="chip" data-write="{self._say(key)}">{self._say(key)}</button>'
            for key in ("starter_1", "starter_2", "starter_3")
        )
        return (
            f'<div class="turn hello"><div class="mentos"><p dir="auto">{escape(character.greeting)}</p></div>'
            f'<p class="soft">{self._say("begin")}</p><div class="chips">{starters}</div></div>'
        )

    def _after(self, desk: Desk, lines: Sequence[Line]) -> str:
        notices = "".join(
            f'<p class="notice" role="status" dir="auto">{self._notice(part)}</p>' for part in desk.notices
        )
        return f"{notices}{self._consent(desk)}{'' if desk.is_busy else self._choices(lines)}"

    def _consent(self, desk: Desk) -> str:
        if desk.question is None:
            return ""
        answers = "".join(
            f'<button type="button" class="{look}" data-say="/동의 {said}">{self._say(key)}</button>'
            for key, said, look in (
                ("consent_yes", "네", "firm"),
                ("consent_storage", "저장만", "soft-button"),
                ("consent_no", "아니요", "soft-button"),
            )
        )
        return (
            f'<section class="consent" aria-label="{self._say("consent")}"><p>{self._notice(desk.question)}</p>'
            f'<div class="row">{answers}</div></section>'
        )

    def _choices(self, lines: Sequence[Line]) -> str:
        """What can be done about the last turn: put the guess right, have it answered anew, take it back."""
        last = lines[-1].turn if lines else None
        if not lines:
            return ""
        buttons = [("again", "/다시"), ("undo", "/취소")] if last else []
        row = "".join(
            f'<button type="button" class="quiet" data-say="{said}">{self._say(key)}</button>'
            for key, said in [*buttons, ("new", "/새상담")]
        )
        guess = ""
        if last and last.answer and not any(kind is Kind.CRISIS for kind, _ in lines[-1].runs):
            guess = self._guess(last.answer.emotion)
        return f'{guess}<div class="row acts" role="group" aria-label="{self._say("acts")}">{row}</div>'

    def _guess(self, emotion: EmotionLabel) -> str:
        chips = "".join(
            f'<button type="button" class="chip" aria-pressed="{str(label is emotion).lower()}" '
            f'data-say="/감정 {escape(label)}">{escape(self._mood_name(label))}</button>'
            for label in EmotionLabel
        )
        said = escape(self._words["guess"].format(felt=self._moods[f"{emotion.name.lower()}_felt"]))
        return (
            f'<details class="guess"><summary>{said} <span class="link">{self._say("correct")}</span></summary>'
            f'<div class="chips" role="group" aria-label="{self._say("correct")}">{chips}</div></details>'
        )

    def _tones(self, desk: Desk) -> str:
        chosen = self._character_of(desk)
        buttons = "".join(
            f'<button type="button" class="tone" aria-pressed="{str(character is chosen).lower()}" '
            f'data-say="/말투 {escape(character.id)}"><b>{escape(self._name(character))}</b>'
            f"<span>{escape(character.sample)}</span></button>"
            for character in self._characters
        )
        title = self._say("tones")
        return f'<section aria-label="{title}"><h2>{title}</h2><div class="tones">{buttons}</div></section>'

    def _mood(self, desk: Desk) -> str:
        shown = f'<p class="soft">{self._say("mood_none")}</p>'
        if desk.moments:
            shown = self._picture("mood.png", desk.moments)
        if len({moment.at.astimezone().date() for moment in desk.month}) > 1:
            shown += self._picture("days.png", desk.month)
        return f'<section aria-label="{self._say("mood")}"><h2>{self._say("mood")}</h2>{shown}</section>'

    def _picture(self, name: str, moments: Sequence[Moment]) -> str:
        """Show a drawing of moments; a new address has it drawn anew."""
        version = crc32(repr([(moment.at.isoformat(), moment.emotion) for moment in moments]).encode())
        address = f"{self._prefix}/{name}?{version:x}"
        said = escape(described(moments, self._moods))
        return f'<a class="mood" href="{address}" target="_blank"><img src="{address}" alt="{said}"></a>'

    def _identity(self, account: Account) -> str:
        if account.is_guest:
            said = escape(self._words["guest_on"].format(hours=f"{self._guest_hours:g}"))
            return f'<p class="who soft">{said} <a href="/known">{self._say("guest_off")}</a></p>'
        return f'<p class="who soft">{self._say("known")} <a href="/guest">{self._say("guest")}</a></p>'

    def _character_of(self, desk: Desk) -> Character:
        chosen = desk.person.character_id if desk.person else None
        return next((c for c in self._characters if c.id == chosen), self._characters[0])

    def _name(self, character: Character) -> str:
        return character.name if self._language == "ko" else character.name_en

    def _mood_name(self, label: EmotionLabel) -> str:
        return self._moods[label.name.lower()]

    def _written(self, text: str) -> str:
        if len(text) <= SHOWN_AT_MOST:
            return escape(text)
        count = escape(self._words["shortened"].format(count=f"{len(text):,}"))
        return f'{escape(text[:SHOWN_AT_MOST])}<span class="soft">{count}</span>'

    def _notice(self, part: Part) -> str:
        """Mentos speaks of itself in one language, the page's visitors read two."""
        return escape(self._own.get(part.text, part.text).strip())

    def _say(self, key: str) -> str:
        return escape(self._words[key])


_ARROW = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 19V5M5.5 11.5 12 5l6.5 6.5" fill="none" '
    'stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_WAITING = '<p class="waiting"><i></i><i></i><i></i><span class="unseen">{words}</span></p>'


def _callable(text: str) -> str:
    """Leave the fixed words as they are, with numbers that a phone can call."""
    alternatives = "|".join(sorted(map(re.escape, numbers().values()), key=len, reverse=True))
    return re.sub(rf"(?<![\d-])({alternatives})(?![\d-])", r'<a href="tel:\1">\1</a>', escape(text))
