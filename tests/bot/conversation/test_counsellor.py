"""What a person experiences of one message, told through working fakes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.conversation.counsellor import Counsellor
from bot.conversation.model import (
    Account,
    Character,
    CharacterId,
    Consent,
    EmotionLabel,
    Kind,
    Message,
    Part,
    Person,
    Scope,
    Situation,
    Turn,
    TurnId,
    UserId,
)
from bot.conversation.off_record import OffTheRecord
from bot.conversation.ports import NoReply, Responder, Stylist
from bot.conversation.prompt import tokens_at_most
from bot.resources import strings
from bot.safety.gate import Fault
from tests.fakes import (
    CHARACTERS,
    START,
    Clock,
    FixedEmotions,
    InMemoryMemories,
    InMemoryPeople,
    MarkingStylist,
    PiecewiseResponder,
    SayingResponder,
    message,
)

HANEUL = Account("terminal", "haneul")
BADA = Account("discord", "42")
PROMISE = "비밀은 꼭 지켜 드릴게요."
PATIENCE_S = 5
IN_DANGER = "나 오늘 죽으려고 해. 유서도 다 썼어"


class SlowInDanger(OffTheRecord):
    """Stores words of danger only when it may."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        super().__init__(now=now)
        self.is_storing, self.may_store = asyncio.Event(), asyncio.Event()

    async def hear(self, user_id: UserId, message: Message, *, character: Character) -> Turn:
        if message.text == IN_DANGER:
            self.is_storing.set()
            await self.may_store.wait()
        return await super().hear(user_id, message, character=character)


class Room:
    """A counsellor and everything around it; what would be stored goes to a second memory."""

    def __init__(
        self,
        responder: Responder | None = None,
        *,
        asks_consent: bool = True,
        stored: OffTheRecord | None = None,
        stylist: Stylist | None = None,
    ) -> None:
        self.clock = Clock()
        self.gated: list[Fault] = []
        self.people = InMemoryPeople()
        self.stored = stored or OffTheRecord(now=self.clock)
        self.off_record = OffTheRecord(now=self.clock)
        self.memories = InMemoryMemories()
        self.responder = responder or SayingResponder("그러셨군요. 언제부터 그러셨어요?")
        self.counsellor = Counsellor(
            people=self.people,
            counsels=self.stored,
            off_record=self.off_record,
            memories=self.memories,
            emotions=FixedEmotions(),
            responder=self.responder,
            stylist=stylist or MarkingStylist(),
            characters=CHARACTERS,
            words=strings("ko"),
            language="ko",
            now=self.clock,
            asks_consent=asks_consent,
            on_gated=self.gated.append,
        )

    async def say(self, text: str, *, id_: str | None = None, account: Account = HANEUL) -> list[Part]:
        sent = message(text, id_=id_ or f"{account.address}:{text}:{self.clock()}", account=account, at=self.clock())
        return [part async for part in self.counsellor.respond(sent)]

    async def introduce(self, *scopes: Scope, account: Account = HANEUL) -> Person:
        stranger = Person(UserId(f"user-{account.address}"), CharacterId("mentos"), consent=None)
        return await self.people.consent(account, stranger, Consent(frozenset(scopes), "1", START))


def said(parts: list[Part]) -> str:
    return " ".join(part.text for part in parts if part.kind is Kind.SAID)


def kinds(parts: list[Part]) -> list[Kind]:
    return [part.kind for part in parts]


class TestAnswering:
    async def test_yields_each_sentence_in_the_characters_tone(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        parts = await room.say("잠이 안 와요")
        assert [part.text for part in parts] == ["<rule:haeyo>그러셨군요.", "<rule:haeyo>언제부터 그러셨어요?"]

    async def test_keeps_draft_tone_emotion_and_what_was_recalled(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say("잠이 안 와요")
        await room.say("시험 때문에요")
        first, second = await room.stored.recent(person.user_id, limit=9)
        assert second.answer is not None
        assert second.text == "시험 때문에요"
        assert second.answer.draft == "그러셨군요. 언제부터 그러셨어요?"
        assert second.answer.reply == "<rule:haeyo>그러셨군요. <rule:haeyo>언제부터 그러셨어요?"
        assert second.answer.emotion is EmotionLabel.ANXIOUS
        assert second.answer.recalled == (first.id,)

    async def test_a_character_that_the_model_speaks_itself_is_not_restyled(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        await room.say("/말투 free")
        assert said(await room.say("안녕")) == "그러셨군요. 언제부터 그러셨어요?"

    async def test_a_message_of_blanks_or_invisible_marks_is_asked_about_and_not_kept(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        for nothing in ("", "   ", "\n\t", "\u200b\u200d\ufeff", "\x00"):
            assert kinds(await room.say(nothing)) == [Kind.NOTICE]
        assert await room.stored.recent(person.user_id, limit=9) == []

    async def test_the_same_text_in_nfd_or_with_lone_surrogates_is_heard_clean(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say("\u1100\u1161\ud800")
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.text == "가\ufffd"

    async def test_a_very_long_message_is_stored_whole_and_thought_about_by_its_beginning_and_end(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        long = "처음" + "가" * 100_000 + "끝"
        await room.say(long)
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.text == long
        assert isinstance(room.responder, SayingResponder)
        thought_about = room.responder.asked[-1].text
        assert len(thought_about) < 2_000
        assert (thought_about[:2], thought_about[-1]) == ("처음", "끝")

    async def test_two_messages_of_one_person_are_answered_one_after_the_other(self) -> None:
        gate, both = asyncio.Event(), asyncio.Event()
        order: list[str] = []

        class Slow:
            async def draft(self, situation: Situation) -> AsyncGenerator[str]:
                order.append(f"+{situation.text}")
                if len(order) == 2:
                    both.set()
                await gate.wait()
                order.append(f"-{situation.text}")
                yield "네."

        room = Room(Slow())
        await room.introduce(Scope.STORAGE)
        await room.introduce(Scope.STORAGE, account=BADA)
        answers = [
            asyncio.create_task(room.say("하나")),
            asyncio.create_task(room.say("둘")),
            asyncio.create_task(room.say("남", account=BADA)),
        ]
        await both.wait()
        assert sorted(order) == ["+남", "+하나"]
        gate.set()
        await asyncio.gather(*answers)
        assert [entry for entry in order if "남" not in entry] == ["+하나", "-하나", "+둘", "-둘"]

    async def test_the_next_sentence_is_drafted_and_restyled_while_one_is_shown(self) -> None:
        second_is_restyled = asyncio.Event()

        class Noticing(MarkingStylist):
            async def restyle(self, text: str, renderer: str) -> str:
                if text == "언제부터 그러셨어요?":
                    second_is_restyled.set()
                return await super().restyle(text, renderer)

        room = Room(PiecewiseResponder("그러셨군요. ", "언제부터 그러셨어요?"), stylist=Noticing())
        await room.introduce(Scope.STORAGE)
        parts = room.counsellor.respond(message("잠이 안 와요"))
        assert await anext(parts) == Part("<rule:haeyo>그러셨군요.")
        await asyncio.wait_for(second_is_restyled.wait(), PATIENCE_S)
        assert [part async for part in parts] == [Part("<rule:haeyo>언제부터 그러셨어요?")]

    async def test_a_reply_that_breaks_off_is_shown_as_far_as_it_went(self) -> None:
        def fail() -> None:
            raise NoReply("cut")

        room = Room(PiecewiseResponder("그러셨군요. 언제부터 그러셨어요? 그", fail))
        await room.introduce(Scope.STORAGE)
        parts = room.counsellor.respond(message("잠이 안 와요"))
        assert await anext(parts) == Part("<rule:haeyo>그러셨군요.")
        assert await anext(parts) == Part("<rule:haeyo>언제부터 그러셨어요?")
        with pytest.raises(NoReply, match="cut"):
            await anext(parts)

    async def test_neither_a_draft_nor_what_becomes_of_it_says_what_must_not_be_said(self) -> None:
        class Promising(MarkingStylist):
            async def restyle(self, text: str, renderer: str) -> str:
                return PROMISE if text == "네." else text

        room = Room(PiecewiseResponder(f"{PROMISE} ", "네."), stylist=Promising())
        person = await room.introduce(Scope.STORAGE)
        assert PROMISE not in said(await room.say("안녕"))
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert PROMISE not in turn.answer.draft
        assert room.gated == ["promise", "promise"]

    async def test_a_responder_that_says_nothing_is_a_failure_and_not_silence(self) -> None:
        room = Room(SayingResponder(""))
        await room.introduce(Scope.STORAGE)
        with pytest.raises(NoReply):
            await room.say("안녕")


class TestRedelivery:
    async def test_a_delivered_message_is_answered_with_nothing(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        await room.say("안녕", id_="7")
        await room.counsellor.delivered(message("안녕", id_="7"))
        assert await room.say("안녕", id_="7") == []

    async def test_an_undelivered_message_gets_the_stored_reply_again(self) -> None:
        responder = SayingResponder("처음 답이에요.", "다른 답이에요.")
        room = Room(responder)
        await room.introduce(Scope.STORAGE)
        first = await room.say("안녕", id_="7")
        assert said(await room.say("안녕", id_="7")) == said(first)
        assert len(responder.asked) == 1

    async def test_a_double_that_arrives_meanwhile_does_not_think_twice(self) -> None:
        responder = SayingResponder("처음 답이에요.", "다른 답이에요.")
        room = Room(responder)
        await room.introduce(Scope.STORAGE)
        first, second = await asyncio.gather(room.say("안녕", id_="7"), room.say("안녕", id_="7"))
        assert said(first) == said(second)
        assert len(responder.asked) == 1

    async def test_the_same_words_under_another_id_are_a_new_message(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say("안녕", id_="7")
        await room.say("안녕", id_="8")
        assert len(await room.stored.recent(person.user_id, limit=9)) == 2


class TestConsent:
    async def test_the_first_reply_to_a_stranger_ends_with_the_ai_notice_and_the_question(self) -> None:
        parts = await Room().say("잠이 안 와요")
        assert kinds(parts)[-1] is Kind.CONSENT
        assert kinds(parts).count(Kind.SAID) >= 1
        assert "AI" in parts[-1].text
        assert "저장" in parts[-1].text

    async def test_the_question_is_put_once(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        assert Kind.CONSENT not in kinds(await room.say("시험 때문에요"))

    async def test_a_stranger_talks_fully_and_nothing_is_stored(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        await room.say("시험 때문에요")
        assert room.people.people == {}
        assert isinstance(room.responder, SayingResponder)
        assert [turn.text for turn in room.responder.asked[-1].recent] == ["잠이 안 와요"]

    @pytest.mark.parametrize(
        ("words", "scopes"),
        [
            ("네", {Scope.STORAGE, Scope.MEMORY}),
            ("네!", {Scope.STORAGE, Scope.MEMORY}),
            ("저장만", {Scope.STORAGE}),
            ("아니요.", set()),
        ],
    )
    async def test_the_answer_is_stored_with_version_and_time(self, words: str, scopes: set[Scope]) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        room.clock.advance(timedelta(minutes=1))
        await room.say(words)
        [consent] = room.people.consents
        assert consent.scopes == scopes
        assert consent.version
        assert consent.at == START + timedelta(minutes=1)

    async def test_only_the_very_next_message_can_be_the_answer(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        await room.say("시험 때문에요")
        await room.say("네")
        assert room.people.consents == []

    async def test_an_ambiguous_word_is_no_consent(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        await room.say("괜찮아요")
        assert room.people.consents == []

    async def test_from_the_yes_on_turns_are_stored_and_what_was_said_before_is_not(self) -> None:
        room = Room()
        await room.say("비밀이에요")
        await room.say("네")
        await room.say("시험 때문에요")
        person = room.people.people[HANEUL]
        assert [turn.text for turn in await room.stored.recent(person.user_id, limit=9)] == ["시험 때문에요"]
        assert isinstance(room.responder, SayingResponder)
        assert [turn.text for turn in room.responder.asked[-1].recent] == ["비밀이에요"]

    async def test_what_was_said_before_the_yes_is_not_among_the_recalled_rows(self) -> None:
        room = Room()
        await room.say("비밀이에요")
        await room.say("네")
        await room.say("시험 때문에요")
        person = room.people.people[HANEUL]
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert turn.answer.recalled == ()

    async def test_where_nothing_is_kept_no_consent_is_promised(self) -> None:
        [part] = await Room(asks_consent=False).say("/동의 네")
        assert "남기지 않아요" in part.text

    async def test_a_no_keeps_the_conversation_off_the_record(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        await room.say("아니요")
        assert said(await room.say("시험 때문에요"))
        person = room.people.people[HANEUL]
        assert await room.stored.recent(person.user_id, limit=9) == []

    async def test_it_can_be_changed_at_any_time_and_every_change_is_kept(self) -> None:
        room = Room()
        for words in ("/동의 네", "/동의 아니요", "/consent storage"):
            await room.say(words)
        assert [consent.scopes for consent in room.people.consents] == [
            {Scope.STORAGE, Scope.MEMORY},
            set(),
            {Scope.STORAGE},
        ]

    async def test_nobody_is_asked_where_asking_is_off(self) -> None:
        room = Room(asks_consent=False)
        assert Kind.CONSENT not in kinds(await room.say("잠이 안 와요"))
        await room.say("네")
        assert room.people.consents == []

    async def test_off_the_record_ends_after_an_hour_of_silence(self) -> None:
        room = Room()
        await room.say("잠이 안 와요")
        room.clock.advance(timedelta(hours=1, seconds=1))
        parts = await room.say("다시 왔어요")
        assert kinds(parts)[-1] is Kind.CONSENT
        assert isinstance(room.responder, SayingResponder)
        assert room.responder.asked[-1].recent == ()


class TestEmergency:
    async def test_fixed_words_come_alone_and_nothing_is_generated_or_restyled(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        await room.say("/말투 선비")
        [part] = await room.say(IN_DANGER)
        assert part.kind is Kind.CRISIS
        assert "109" in part.text
        assert "119" in part.text
        assert "<rule" not in part.text
        assert isinstance(room.responder, SayingResponder)
        assert room.responder.asked == []

    async def test_they_come_before_anything_is_looked_up(self) -> None:
        class Unreachable(InMemoryPeople):
            async def find(self, account: Account) -> Person | None:
                raise ConnectionError

        room = Room()
        room.counsellor._people = Unreachable()  # the database dies under a running counsellor
        [part] = await room.say(IN_DANGER)
        assert part.kind is Kind.CRISIS

    async def test_a_stranger_in_danger_is_helped_first_and_asked_later(self) -> None:
        room = Room()
        assert kinds(await room.say(IN_DANGER)) == [Kind.CRISIS]
        assert kinds(await room.say("고마워요"))[-1] is Kind.CONSENT

    async def test_the_turn_is_stored_with_its_emotion(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        [part] = await room.say(IN_DANGER)
        await room.counsellor.drain()
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert turn.answer.reply == part.text
        assert turn.answer.emotion is EmotionLabel.ANXIOUS

    async def test_words_in_danger_are_help_even_as_a_command(self) -> None:
        assert kinds(await Room().say(f"/말투 {IN_DANGER}")) == [Kind.CRISIS]

    async def test_a_redelivery_is_helped_again_and_stored_once(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        assert kinds(await room.say(IN_DANGER, id_="9")) == [Kind.CRISIS]
        assert kinds(await room.say(IN_DANGER, id_="9")) == [Kind.CRISIS]
        await room.counsellor.drain()
        assert len(await room.stored.recent(person.user_id, limit=9)) == 1

    async def test_a_yes_to_its_question_is_no_consent(self) -> None:
        room = Room()
        assert kinds(await room.say("요즘 힘들어요"))[-1] is Kind.CONSENT
        await room.say(IN_DANGER)
        await room.say("네")
        assert room.people.consents == []

    async def test_what_waits_its_turn_is_silenced_too_and_nothing_is_asked(self) -> None:
        thinking, go_on = asyncio.Event(), asyncio.Event()

        class Slow:
            async def draft(self, situation: Situation) -> AsyncGenerator[str]:
                thinking.set()
                await go_on.wait()
                yield "늦은 답이에요."

        room = Room(Slow())
        first, second = asyncio.create_task(room.say("하나")), asyncio.create_task(room.say("둘"))
        await thinking.wait()
        await room.say(IN_DANGER)
        go_on.set()
        assert await first == []
        assert await second == []

    async def test_the_confirmation_waits_for_the_turn_to_be_stored(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say(IN_DANGER, id_="9")
        await room.counsellor.delivered(message(IN_DANGER, id_="9"))
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.delivered_at is not None

    async def test_what_is_said_next_is_stored_after_it(self) -> None:
        stored = SlowInDanger(now=Clock())
        room = Room(stored=stored)
        person = await room.introduce(Scope.STORAGE)
        await room.say(IN_DANGER)
        next_words = asyncio.create_task(room.say("친구가 옆에 와 줬어요"))
        await stored.is_storing.wait()
        stored.may_store.set()
        assert await next_words
        turns = await stored.recent(person.user_id, limit=5)
        assert [turn.text for turn in turns] == [IN_DANGER, "친구가 옆에 와 줬어요"]

    async def test_it_silences_a_reply_that_still_streams_to_that_person_only(self) -> None:
        spoken, go_on = asyncio.Semaphore(0), asyncio.Event()

        class Interrupted:
            async def draft(self, situation: Situation) -> AsyncGenerator[str]:
                yield "첫 문장이에요.\n"
                spoken.release()
                await go_on.wait()
                yield "둘째 문장이에요.\n"

        room = Room(Interrupted())
        await room.introduce(Scope.STORAGE)
        await room.introduce(Scope.STORAGE, account=BADA)
        mine = asyncio.create_task(room.say("안녕"))
        other = asyncio.create_task(room.say("안녕", account=BADA))
        for _ in range(2):
            await spoken.acquire()
        await room.say(IN_DANGER)
        go_on.set()
        assert "둘째" not in said(await mine)
        assert "둘째" in said(await other)

    async def test_a_model_that_still_writes_for_who_is_helped_is_left(self) -> None:
        has_begun, go_on = asyncio.Event(), asyncio.Event()
        is_left = False

        class Endless:
            async def draft(self, situation: Situation) -> AsyncGenerator[str]:
                nonlocal is_left
                try:
                    has_begun.set()
                    await go_on.wait()
                    yield "첫 문장이에요.\n"
                    await asyncio.Event().wait()
                finally:
                    is_left = True

        room = Room(Endless())
        await room.introduce(Scope.STORAGE)
        silenced = asyncio.create_task(room.say("안녕"))
        await has_begun.wait()
        await room.say(IN_DANGER)
        go_on.set()
        assert await asyncio.wait_for(silenced, PATIENCE_S) == []
        assert is_left


class TestCommands:
    async def test_the_tone_is_chosen_by_name_and_greets_in_it(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        [part] = await room.say("/말투 선비")
        assert "seonbi의 인사" in part.text
        assert said(await room.say("안녕")).startswith("<rule:seonbi>")

    async def test_a_strangers_choice_holds_and_survives_the_yes(self) -> None:
        room = Room()
        await room.say("/tone 선비")
        assert said(await room.say("안녕")).startswith("<rule:seonbi>")
        await room.say("네")
        assert said(await room.say("안녕")).startswith("<rule:seonbi>")

    @pytest.mark.parametrize("words", ["/말투", "/말투 없는말투", "/tone"])
    async def test_without_a_known_name_all_tones_are_shown(self, words: str) -> None:
        [part] = await Room().say(words)
        assert "멘토스" in part.text
        assert "선비" in part.text

    async def test_a_new_counsel_starts_without_the_old_turns(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        await room.say("잠이 안 와요")
        await room.say("/새상담")
        await room.say("안녕")
        assert isinstance(room.responder, SayingResponder)
        assert room.responder.asked[-1].recent == ()

    async def test_an_unknown_command_is_answered_with_help(self) -> None:
        [part] = await Room().say("/뭐라고")
        assert "/말투" in part.text
        assert "109" in part.text


async def test_words_for_a_parents_fear_are_shown_as_help() -> None:
    part, *_ = await Room().say("갓난아기를 제가 해칠까 봐 무서워요")
    assert part.kind is Kind.CRISIS
    assert "109" in part.text


async def test_two_people_never_see_each_others_turns() -> None:
    room = Room()
    for account in (HANEUL, BADA):
        await room.introduce(Scope.STORAGE, account=account)
    await room.say("하늘의 비밀", account=HANEUL)
    await room.say("바다의 비밀", account=BADA)
    assert isinstance(room.responder, SayingResponder)
    await room.say("안녕", account=HANEUL)
    assert [turn.text for turn in room.responder.asked[-1].recent] == ["하늘의 비밀"]


async def test_a_message_is_the_same_to_everyone_whatever_door_it_came_through() -> None:
    for account in (HANEUL, BADA, Account("kakao", "bot:1")):
        room = Room()
        await room.introduce(Scope.STORAGE, account=account)
        assert (
            said(await room.say("안녕", account=account)) == "<rule:haeyo>그러셨군요. <rule:haeyo>언제부터 그러셨어요?"
        )


def test_a_message_keeps_its_identity_when_cleaned() -> None:
    sent = Message(HANEUL, "1", "글", START)
    assert replace(sent, text="글") == sent


def last_asked(room: Room) -> Situation:
    assert isinstance(room.responder, SayingResponder)
    return room.responder.asked[-1]


class TestRemembering:
    async def test_what_was_said_before_is_put_before_the_responder_and_kept_as_recalled(self) -> None:
        room = Room()
        person = await room.introduce(*Scope)
        room.memories.keep(person.user_id, "고양이 나비를 키워요", turn_id=900)

        await room.say("안녕하세요")
        assert last_asked(room).memories == ()
        await room.say("고양이 때문에 웃었어요")

        assert [memory.text for memory in last_asked(room).memories] == ["고양이 나비를 키워요"]
        first, second = await room.stored.recent(person.user_id, limit=9)
        assert second.answer is not None
        assert second.answer.recalled == (TurnId(900), first.id)

    @pytest.mark.parametrize("scopes", [(), (Scope.STORAGE,), (Scope.MEMORY,)])
    async def test_nothing_is_recalled_of_who_has_not_allowed_it(self, scopes: tuple[Scope, ...]) -> None:
        room = Room()
        person = await room.introduce(*scopes)
        room.memories.keep(person.user_id, "고양이 나비를 키워요", turn_id=900)

        await room.say("고양이 때문에 웃었어요")

        assert last_asked(room).memories == ()

    async def test_turns_at_hand_are_not_recalled_again(self) -> None:
        room = Room()
        person = await room.introduce(*Scope)
        await room.say("고양이 나비를 키워요")
        [turn] = await room.stored.recent(person.user_id, limit=9)
        room.memories.keep(person.user_id, "고양이 나비를 키워요", turn_id=turn.id)

        await room.say("고양이 때문에 웃었어요")

        assert last_asked(room).memories == ()

    async def test_nobody_is_reminded_of_danger(self) -> None:
        room = Room()
        person = await room.introduce(*Scope)
        room.memories.keep(person.user_id, "고양이 두고 죽고 싶어", turn_id=900)
        room.memories.keep(person.user_id, "고양이 나비를 키워요", turn_id=901)

        await room.say("고양이 때문에 웃었어요")

        assert [memory.text for memory in last_asked(room).memories] == ["고양이 나비를 키워요"]

    async def test_memories_stay_within_four_hundred_tokens(self) -> None:
        room = Room()
        person = await room.introduce(*Scope)
        for number in range(20):
            room.memories.keep(person.user_id, "고양이 " + "나비가 좋아요 " * 40, turn_id=900 + number)

        await room.say("고양이 때문에 웃었어요")

        recalled = last_asked(room).memories
        assert 1 <= sum(tokens_at_most(memory.text) for memory in recalled) <= 400


class TestAgain:
    async def test_the_last_turn_is_answered_anew_with_what_was_said_rejected(self) -> None:
        room = Room(SayingResponder("첫 답이에요.", "다른 답이에요."))
        person = await room.introduce(Scope.STORAGE)
        await room.say("잠이 안 와요")

        parts = await room.say("/다시")

        assert said(parts) == "<rule:haeyo>다른 답이에요."
        assert (last_asked(room).text, last_asked(room).rejected) == ("잠이 안 와요", ("첫 답이에요.",))
        assert last_asked(room).recent == ()
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert (turn.text, turn.answer.draft) == ("잠이 안 와요", "다른 답이에요.")

    async def test_help_in_danger_is_given_again_in_the_same_words(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        [helped] = await room.say(IN_DANGER)
        await room.counsellor.drain()

        assert await room.say("/다시") == [helped]

    async def test_words_that_mean_danger_never_reach_a_responder_even_where_their_answer_was_not_stored(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.stored.hear(
            person.user_id, message(IN_DANGER, account=HANEUL), character=CHARACTERS[CharacterId("mentos")]
        )

        [helped] = await room.say("/다시")

        assert helped.kind is Kind.CRISIS
        assert isinstance(room.responder, SayingResponder)
        assert room.responder.asked == []

    async def test_where_no_other_reply_can_be_had_the_first_one_stays(self) -> None:
        room = Room(SayingResponder("첫 답이에요.", NoReply("gone")))
        person = await room.introduce(Scope.STORAGE)
        await room.say("잠이 안 와요")

        with pytest.raises(NoReply):
            await room.say("/다시")

        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert turn.answer.draft == "첫 답이에요."

    async def test_what_failed_can_be_tried_again(self) -> None:
        room = Room(SayingResponder(NoReply("gone"), "이제 답해요."))
        await room.introduce(Scope.STORAGE)
        with pytest.raises(NoReply):
            await room.say("잠이 안 와요")

        assert said(await room.say("/다시")) == "<rule:haeyo>이제 답해요."

    @pytest.mark.parametrize("command", ["/다시", "/취소", "/감정", "/감정 슬픔", "/기분"])
    async def test_where_nothing_was_said_a_notice_says_so(self, command: str) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        [notice] = await room.say(command)
        assert notice == Part(strings("ko")["core"]["nothing_said"], Kind.NOTICE)


class TestUndo:
    async def test_the_last_turn_is_as_if_it_had_never_been(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say("하나")
        await room.say("둘")

        assert kinds(await room.say("/취소")) == [Kind.NOTICE]

        assert [turn.text for turn in await room.stored.recent(person.user_id, limit=9)] == ["하나"]
        await room.say("셋")
        assert [turn.text for turn in last_asked(room).recent] == ["하나"]

    async def test_off_the_record_too(self) -> None:
        room = Room()
        await room.say("하나")
        await room.say("/취소")
        await room.say("둘")
        assert last_asked(room).recent == ()


class TestEmotion:
    async def test_the_guess_is_shown_and_corrected_by_the_persons_own_word(self) -> None:
        room = Room()
        person = await room.introduce(Scope.STORAGE)
        await room.say("하나")

        [guess] = await room.say("/감정")
        [corrected] = await room.say("/감정 고마움")

        assert strings("ko")["mood"]["anxious"] in guess.text
        assert strings("ko")["mood"]["grateful"] in corrected.text
        [turn] = await room.stored.recent(person.user_id, limit=9)
        assert turn.answer is not None
        assert turn.answer.emotion is EmotionLabel.GRATEFUL

    async def test_a_word_that_is_no_emotion_shows_those_there_are(self) -> None:
        room = Room()
        await room.say("하나")
        [notice] = await room.say("/감정 뿅뿅")
        assert all(strings("ko")["mood"][label.name.lower()] in notice.text for label in EmotionLabel)


class TestMood:
    async def test_a_counsel_is_drawn_in_a_line_with_words(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        for text in ("하나", "둘", "셋"):
            await room.say(text)
            room.clock.advance(timedelta(minutes=1))

        [mood] = await room.say("/기분")

        assert mood.kind is Kind.NOTICE
        assert "▂▂▂" in mood.text


class TestGravity:
    async def test_a_joking_character_softens_while_the_words_are_grave(self) -> None:
        room = Room()
        await room.introduce(Scope.STORAGE)
        await room.say("/말투 joker")

        light = said(await room.say("오늘 수업이 있었어요"))
        grave = said(await room.say("어제 할머니가 돌아가셨어요"))
        after = said(await room.say("네"))

        assert "<rule:joke>" in light
        assert "<rule:haeyo>" in grave
        assert "<rule:haeyo>" in after
        assert "허허" not in grave + after
