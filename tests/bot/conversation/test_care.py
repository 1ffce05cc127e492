"""What a person experiences after danger was told: told through the same working fakes."""

import asyncio
from datetime import timedelta

import pytest

from bot.conversation import care
from bot.conversation.model import Answer, CounselId, EmotionLabel, Kind, Part, Scope, Turn, TurnId, UserId
from bot.conversation.off_record import OffTheRecord
from bot.resources import strings
from bot.safety.replies import line, situations
from tests.bot.conversation.test_counsellor import IN_DANGER, Room
from tests.fakes import START, Clock, SayingResponder

ACTIVE = "자살 충동이 들어요"
ORDINARY = "오늘 회사에서 또 혼났어요"
STILL_AI = strings("ko")["core"]["still_ai"]
FOOTER, CHECK_IN = line("footer"), line("check_in")


class Unhurried(OffTheRecord):
    """A store that lets others go first, as a database does."""

    async def plan(self, user_id: UserId) -> str | None:
        plan = await super().plan(user_id)
        await asyncio.sleep(0)
        return plan


class Later(Room):
    """A room in which a minute passes before every message."""

    async def after(self, text: str, wait: timedelta = timedelta(minutes=1)) -> list[Part]:
        self.clock.advance(wait)
        parts = await self.say(text)
        await self.counsellor.drain()
        return parts


async def talking(*scopes: Scope) -> Later:
    room = Later()
    if scopes:
        await room.introduce(*scopes)
    return room


def fixed(parts: list[Part]) -> list[str]:
    return [situations()[part.text][0] for part in parts if part.text in situations()]


@pytest.mark.parametrize("scopes", [(), (Scope.STORAGE,)], ids=["off the record", "on the record"])
async def test_help_goes_on_in_other_words_and_nothing_is_generated_meanwhile(scopes: tuple[Scope, ...]) -> None:
    room = await talking(*scopes)
    said = [await room.after(text) for text in (ACTIVE, ORDINARY, ACTIVE, "네", ORDINARY)]
    words = [part.text for parts in said for part in parts if part.kind is Kind.CRISIS]
    assert len(set(words)) == 5
    assert isinstance(room.responder, SayingResponder)
    assert room.responder.asked == []


@pytest.mark.parametrize("between", ["/말투 선비", "/새상담"])
async def test_off_the_record_help_goes_on_over_counsels(between: str) -> None:
    room = await talking()
    await room.after(ORDINARY)
    await room.after(ACTIVE)
    await room.after(between)
    assert fixed(await room.after(ORDINARY)) == ["active"]
    assert not any(part.kind is Kind.CRISIS for part in await room.after(ORDINARY, timedelta(minutes=61)))


async def test_help_goes_on_after_the_yes_to_being_stored() -> None:
    room = await talking()
    await room.after(ORDINARY)
    await room.after("네")
    await room.after(ACTIVE)
    assert fixed(await room.after(ORDINARY)) == ["active"]


async def test_afterwards_the_tone_stays_down_and_the_number_in_sight() -> None:
    room = await talking(Scope.STORAGE)
    await room.after("/말투 선비")
    await room.after(ACTIVE)
    await room.after("이제 좀 괜찮아졌어요")
    parts = [part for _ in range(6) for part in await room.after(ORDINARY)]
    assert not any("<rule" in part.text for part in parts)
    assert 1 <= [part.text for part in parts].count(FOOTER) <= 2


async def test_after_a_day_the_tone_is_back() -> None:
    room = await talking(Scope.STORAGE)
    await room.after("/말투 선비")
    await room.after(ACTIVE)
    parts = await room.after(ORDINARY, timedelta(hours=25))
    assert any("<rule:seonbi>" in part.text for part in parts)
    assert FOOTER not in [part.text for part in parts]


def turn(text: str, reply: str, *, counsel: int) -> Turn:
    answer = Answer(reply, reply, EmotionLabel.SAD, (), START)
    return Turn(TurnId(1), CounselId(counsel), text, START, answer)


class TestOpening:
    told = turn(ACTIVE, "…", counsel=2)
    ordinary = turn(ORDINARY, "그러셨군요.", counsel=2)

    def test_the_next_counsel_asks_about_danger_in_the_last_once(self) -> None:
        assert care.opening([self.told, self.ordinary], is_first=True, language="ko") == CHECK_IN
        assert care.opening([self.told, self.ordinary], is_first=False, language="ko") is None

    def test_nothing_is_asked_after_an_ordinary_counsel_or_none(self) -> None:
        before = turn(ACTIVE, "…", counsel=1)
        assert care.opening([before, self.ordinary], is_first=True, language="ko") is None
        assert care.opening([], is_first=True, language="ko") is None


async def test_ordinary_talk_is_not_watched() -> None:
    room = await talking(Scope.STORAGE)
    parts = [part for _ in range(9) for part in await room.after(ORDINARY)]
    assert {part.kind for part in parts} == {Kind.SAID}


async def test_every_three_hours_it_says_again_that_it_is_an_ai() -> None:
    room = await talking(Scope.STORAGE)
    said = [STILL_AI in [part.text for part in await room.after(ORDINARY, timedelta(minutes=20))] for _ in range(25)]
    assert said.count(True) == 2
    first = said.index(True)
    assert first in range(9, 11)
    assert said[first + 9 : first + 11].count(True) == 1


async def test_other_matters_are_answered_in_fixed_words_without_alarm() -> None:
    room = await talking(Scope.STORAGE)
    [part] = await room.after("나 우울증 맞지? 진단 내려줘")
    assert part.kind is Kind.NOTICE
    assert fixed([part]) == ["diagnosis"]


async def test_what_was_told_long_ago_in_the_same_words_is_answered_at_once_from_the_start() -> None:
    room = await talking(Scope.STORAGE)
    [first] = await room.after(IN_DANGER)
    [again] = await room.after(IN_DANGER, timedelta(days=2))
    assert first.text == again.text


class TestPlan:
    async def test_a_plan_is_written_line_by_line_and_shown(self) -> None:
        room = await talking(Scope.STORAGE)
        await room.after("/안전계획 사람 막내 이모")
        [kept] = await room.after("/안전계획 신호 잠을 못 잔다")
        [shown] = await room.after("/안전계획")
        assert "막내 이모" in kept.text
        assert "막내 이모" in shown.text
        assert "잠을 못 잔다" in shown.text
        assert "109" in shown.text

    async def test_a_line_that_means_danger_is_helped_with_and_kept(self) -> None:
        room = await talking(Scope.STORAGE)
        parts = await room.after("/안전계획 신호 죽고 싶다는 생각이 든다")
        assert [part.kind for part in parts] == [Kind.CRISIS, Kind.NOTICE]
        [shown] = await room.after("/안전계획")
        assert "죽고 싶다는 생각이 든다" in shown.text

    async def test_off_the_record_it_stays_for_an_hour_and_says_so(self) -> None:
        room = await talking()
        [kept] = await room.after("/안전계획 사람 막내 이모")
        assert strings("ko")["plan"]["for_now"] in kept.text
        [shown] = await room.after("/안전계획")
        assert "막내 이모" in shown.text
        [later] = await room.after("/안전계획", timedelta(minutes=61))
        assert "막내 이모" not in later.text

    async def test_lines_that_come_at_once_are_all_kept(self) -> None:
        room = Room(stored=Unhurried(now=Clock()))
        await room.introduce(Scope.STORAGE)
        names = ["막내 이모", "민지", "옆집 아주머니", "담임 선생님"]
        await asyncio.gather(*(room.say(f"/안전계획 사람 {name}") for name in names))
        [shown] = await room.say("/안전계획")
        assert all(name in shown.text for name in names)

    async def test_it_is_erased_when_told_so(self) -> None:
        room = await talking(Scope.STORAGE)
        await room.after("/안전계획 사람 막내 이모")
        await room.after("/안전계획 지우기")
        [shown] = await room.after("/안전계획")
        assert "막내 이모" not in shown.text
