"""The Discord door, through the real library, against a loopback Discord."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.model import Account, Character, CharacterId, Kind, Message, Part
from bot.messengers.discord import DiscordDoor, pages, split
from tests.discord_server import BOT, HANEUL, DiscordServer, Fault, discord_server

NOW = datetime(2026, 11, 22, 5, 10, tzinfo=UTC)
STRINGS = {
    "unreadable": "사진은 제가 읽지 못해요.",
    "tone_description": "어떤 말투로 이야기할지 골라요.",
    "tone_option": "함께할 말투",
    "plan_description": "나의 안전계획",
    "plan_part": "적을 항목",
    "plan_line": "적을 한 줄",
}
FAMILY = "👨‍👩‍👧‍👦"
SCOTLAND = "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "gbsct") + "\U000e007f"
LISTENING = Part("듣고 있어요.")
HELP = Part("지금 109로 전화해 주세요.", Kind.CRISIS)


class ScriptedConversation:
    """Answers each text as it was told to, and `slow` ones only after `release`."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Part]] = {}
        self.waiting: list[Message] = []
        self.heard: list[Message] = []
        self.confirmed: list[str] = []
        self.release = asyncio.Event()

    async def respond(self, message: Message) -> AsyncIterator[Part]:
        self.heard.append(message)
        for part in self.answers.get(message.text, [LISTENING]):
            if part.kind is Kind.SAID and message.text.startswith("slow"):
                await self.release.wait()
            yield part

    async def delivered(self, message: Message) -> None:
        self.confirmed.append(message.id)

    async def unanswered(self, messenger: str, address: str | None = None) -> Sequence[Message]:
        return [message for message in self.waiting if message.account.messenger == messenger]


def character(name: str, korean: str) -> Character:
    return Character(CharacterId(name), korean, name.title(), f"rule:{name}", "", "", "", f"rule:{name}")


def door(conversation: ScriptedConversation, *, sync_commands: bool = False) -> DiscordDoor:
    return DiscordDoor(
        conversation=conversation,
        characters=[character("mentos", "멘토스"), character("seonbi", "선비")],
        strings=STRINGS,
        now=lambda: NOW,
        sync_commands=sync_commands,
    )


@asynccontextmanager
async def open_door(conversation: ScriptedConversation, *, sync_commands: bool = False) -> AsyncIterator[DiscordDoor]:
    client = door(conversation, sync_commands=sync_commands)
    running = asyncio.create_task(client.start("token"))
    try:
        yield client
    finally:
        await client.close()
        await running


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with discord_server() as serving:
        yield serving


@pytest.fixture
def conversation() -> ScriptedConversation:
    return ScriptedConversation()


async def test_a_first_message_from_a_stranger_is_answered_and_confirmed(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        message_id = await server.write("요즘 잠이 안 와요")
        await server.until(server.seen_by)

    at = discord.utils.snowflake_time(int(message_id))
    assert conversation.heard == [Message(Account("discord", HANEUL), message_id, "요즘 잠이 안 와요", at)]
    assert server.seen_by() == ["듣고 있어요."]
    assert conversation.confirmed == [message_id]


async def test_only_direct_messages_are_asked_for_and_nobody_is_ever_mentioned(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        await server.write("안녕하세요")
        await server.until(server.seen_by)

    assert server.identifies[0]["intents"] == discord.Intents(dm_messages=True).value
    assert [sent.body["allowed_mentions"] for sent in server.asked("POST", "messages")] == [{"parse": []}]


async def test_sentences_become_one_message_and_a_notice_its_last_paragraph(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["안녕"] = [Part("반가워요."), Part("오늘은 어땠어요?"), Part("저는 AI예요.", Kind.CONSENT)]
    async with open_door(conversation):
        await server.write("안녕")
        await server.until(server.seen_by)

    assert server.seen_by() == ["반가워요. 오늘은 어땠어요?\n\n저는 AI예요."]


async def test_a_long_answer_arrives_whole_in_several_messages_without_tearing_a_family(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["길게"] = [Part(FAMILY * 400)]
    async with open_door(conversation):
        await server.write("길게")
        await server.until(lambda: len(server.seen_by()) == 3)

    assert "".join(server.seen_by()) == FAMILY * 400
    assert all(text.replace(FAMILY, "") == "" for text in server.seen_by())


async def test_a_message_that_arrives_twice_is_answered_once(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        message_id = await server.write("한 번만")
        await server.write("한 번만", message_id=message_id)
        later = await server.write("그다음")
        await server.until(lambda: len(server.seen_by()) == 2)

    assert [message.id for message in conversation.heard] == [message_id, later]


@pytest.mark.parametrize("fault", [Fault(502, is_done=True), Fault(503, is_done=True), Fault(None, is_done=True)])
async def test_an_answer_whose_receipt_was_lost_is_sent_again_and_seen_once(
    server: DiscordServer, conversation: ScriptedConversation, fault: Fault
) -> None:
    server.faults["messages"].append(fault)
    async with open_door(conversation):
        message_id = await server.write("들려요?")
        await server.until(lambda: len(server.asked("POST", "messages")) == 2)

    assert server.seen_by() == ["듣고 있어요."]
    assert conversation.confirmed == [message_id]


async def test_an_answer_that_had_arrived_before_a_restart_is_not_doubled(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        await server.write("들려요?")
        await server.until(server.seen_by)
    conversation.waiting = conversation.heard[:]
    async with open_door(conversation):
        await server.until(lambda: len(server.asked("POST", "messages")) == 2)

    assert server.seen_by() == ["듣고 있어요."]


async def test_help_is_never_taken_for_a_repetition_of_what_was_said_before_a_restart(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        await server.write("너무 힘들어요")
        await server.until(server.seen_by)
    conversation.waiting = conversation.heard[:]
    conversation.answers["너무 힘들어요"] = [HELP]
    async with open_door(conversation):
        await server.until(lambda: len(server.seen_by()) == 2)

    assert server.seen_by() == ["듣고 있어요.", HELP.text]


async def test_help_comes_first_and_alone_even_when_typing_cannot_be_shown(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["slow"] = [HELP, Part("곁에 있을게요.")]
    server.faults["typing"].append(Fault(403, code=50001))
    async with open_door(conversation):
        await server.write("slow")
        await server.until(server.seen_by)
        assert server.seen_by() == [HELP.text]
        await server.until(lambda: server.asked("POST", "typing"))

        conversation.release.set()
        await server.until(lambda: len(server.seen_by()) == 2)

    assert server.seen_by() == [HELP.text, "곁에 있을게요."]


async def test_help_overtakes_an_answer_that_is_still_being_written(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["지금"] = [HELP]
    async with open_door(conversation):
        await server.write("slow")
        await server.until(lambda: server.asked("POST", "typing"))
        await server.write("지금")
        await server.until(server.seen_by)
        conversation.release.set()

    assert server.seen_by() == [HELP.text, "듣고 있어요."]


async def test_the_tone_command_is_offered_in_korean_and_english_with_every_character(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation, sync_commands=True):
        await server.until(lambda: server.identifies)

    command, _ = server.commands
    [option] = command["options"]
    assert (command["name"], command["name_localizations"]) == ("tone", {"ko": "말투"})
    assert command["description"] == STRINGS["tone_description"]
    assert (command["contexts"], command["integration_types"]) == ([1], [0, 1])
    assert (option["name_localizations"], option["description"]) == ({"ko": "이름"}, STRINGS["tone_option"])
    assert option["choices"] == [
        {"name": "Mentos", "name_localizations": {"ko": "멘토스"}, "value": "mentos"},
        {"name": "Seonbi", "name_localizations": {"ko": "선비"}, "value": "seonbi"},
    ]


async def test_the_tone_command_is_deferred_at_once_and_then_answered(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["/말투 seonbi"] = [Part("[선비] 어서 오시게.", Kind.NOTICE)]
    async with open_door(conversation):
        token = await server.command("tone", character="seonbi")
        await server.until(lambda: server.asked("PATCH", "@original"))

    [message] = conversation.heard
    assert server.interactions[token] == ["[선비] 어서 오시게."]
    assert message.account == Account("discord", HANEUL)
    assert message.id == f"interaction:{token.removeprefix('token-')}"
    assert message.at == NOW


async def test_the_safety_plan_is_a_command_with_its_six_parts(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation, sync_commands=True):
        await server.until(lambda: server.identifies)

    _, command = server.commands
    part, line = command["options"]
    assert (command["name"], command["name_localizations"]) == ("safetyplan", {"ko": "안전계획"})
    assert (part["required"], line["required"]) == (False, False)
    assert (len(part["choices"]), part["choices"][2]["name_localizations"]) == (6, {"ko": "연락할 사람"})


@pytest.mark.parametrize(
    ("options", "heard"),
    [({}, "/안전계획"), ({"part": "people", "line": "막내 이모"}, "/안전계획 people 막내 이모")],
)
async def test_a_safety_plan_is_written_and_shown_by_the_command(
    server: DiscordServer, conversation: ScriptedConversation, options: dict[str, str], heard: str
) -> None:
    conversation.answers[heard] = [Part("[나의 안전계획]", Kind.NOTICE)]
    async with open_door(conversation):
        token = await server.command("safetyplan", **options)
        await server.until(lambda: server.asked("PATCH", "@original"))

    assert server.interactions[token] == ["[나의 안전계획]"]


async def test_a_long_answer_to_a_command_goes_on_in_further_messages(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["/말투 seonbi"] = [Part("가" * 2_500, Kind.NOTICE)]
    async with open_door(conversation):
        token = await server.command("tone", character="seonbi")
        await server.until(lambda: len(server.interactions.get(token, [])) == 2)

    assert server.interactions[token] == ["가" * 2_000, "가" * 500]


async def test_commands_are_left_alone_unless_they_are_to_be_registered(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        await server.until(lambda: server.identifies)

    assert server.asked("PUT", "commands") == []


async def test_a_command_that_cannot_be_registered_keeps_nobody_from_being_heard(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    server.faults["commands"].append(Fault(400, code=30034))
    async with open_door(conversation, sync_commands=True):
        await server.write("안녕하세요")
        await server.until(server.seen_by)

    assert server.seen_by() == ["듣고 있어요."]


async def test_whoever_was_left_without_an_answer_gets_it_at_the_next_start(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["그리고"] = [Part("네, 계속하세요.")]
    conversation.waiting = [
        Message(Account("discord", "7"), "101", "있잖아요", NOW),
        Message(Account("discord", "8"), "102", "있잖아요", NOW),
        Message(Account("discord", "7"), "103", "그리고", NOW),
    ]
    async with open_door(conversation):
        await server.until(lambda: len(server.seen_by("7")) + len(server.seen_by("8")) == 3)

    assert server.seen_by("7") == ["듣고 있어요.", "네, 계속하세요."]
    assert server.seen_by("8") == ["듣고 있어요."]
    assert sorted(conversation.confirmed) == ["101", "102", "103"]


async def test_help_that_was_left_over_does_not_wait_for_the_answer_before_it(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    conversation.answers["지금"] = [HELP]
    conversation.waiting = [
        Message(Account("discord", "7"), "101", "slow", NOW),
        Message(Account("discord", "7"), "102", "지금", NOW),
    ]
    async with open_door(conversation):
        await server.until(lambda: server.seen_by("7"))
        conversation.release.set()

    assert server.seen_by("7") == [HELP.text, "듣고 있어요."]


@pytest.mark.parametrize("code", [50007, 50278])
async def test_an_answer_to_somebody_who_closed_their_messages_is_not_tried_for_ever(
    server: DiscordServer, conversation: ScriptedConversation, code: int
) -> None:
    server.faults["messages"].append(Fault(403, code=code))
    async with open_door(conversation):
        message_id = await server.write("안녕히 계세요")
        await server.until(lambda: server.asked("POST", "messages"))

    assert conversation.confirmed == [message_id]


@pytest.mark.parametrize("fault", [Fault(403), Fault(400, code=50035), Fault(429)])
async def test_an_answer_that_discord_refuses_stays_unconfirmed_and_the_next_one_comes_through(
    server: DiscordServer, conversation: ScriptedConversation, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    server.faults["messages"].append(fault)
    async with open_door(conversation):
        refused = await server.write("첫 번째")
        await server.until(lambda: server.asked("POST", "messages"))
        accepted = await server.write("두 번째")
        await server.until(server.seen_by)

    assert conversation.confirmed == [accepted]
    assert any(refused in line and f"status {fault.status}, code {fault.code}" in line for line in caplog.messages)


async def test_a_picture_without_words_gets_a_kind_sentence(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    picture = {"id": "1", "filename": "a.png", "size": 1, "url": "https://a/a.png", "proxy_url": "https://a/a.png"}
    async with open_door(conversation):
        await server.write("", but={"attachments": [picture]})
        await server.until(server.seen_by)

    assert server.seen_by() == [STRINGS["unreadable"]]
    assert conversation.heard == []


@pytest.mark.parametrize(
    "unmeant",
    [{"author": BOT | {"id": "901"}}, {"guild_id": "5", "channel_type": 0}, {"type": 6}],
    ids=["from a bot", "in a server", "from Discord itself"],
)
async def test_what_no_person_wrote_to_the_bot_alone_is_left_unanswered(
    server: DiscordServer, conversation: ScriptedConversation, unmeant: dict[str, object]
) -> None:
    async with open_door(conversation):
        await server.write("", but=unmeant)
        await server.write("못 본 척해 주세요", but=unmeant)
        await server.write("저예요")
        await server.until(server.seen_by)

    assert [message.text for message in conversation.heard] == ["저예요"]
    assert len(server.asked("POST", "messages")) == 1


async def test_the_conversation_goes_on_after_discord_asks_to_reconnect(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation):
        await server.write("하나")
        await server.until(server.seen_by)
        await server.ask_to_reconnect()
        await server.write("둘")
        await server.until(lambda: len(server.seen_by()) == 2)

    assert (len(server.identifies), len(server.resumes)) == (1, 1)


async def test_the_conversation_goes_on_in_a_new_session_when_discord_ends_the_old_one(
    server: DiscordServer, conversation: ScriptedConversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(shard_id: int | None, *, initial: bool = False) -> None: ...

    async with open_door(conversation) as client:
        monkeypatch.setattr(client, "before_identify_hook", at_once)  # the library waits five seconds
        await server.write("하나")
        await server.until(server.seen_by)
        await server.invalidate_session()
        await server.write("둘")
        await server.until(lambda: len(server.seen_by()) == 2)

    assert len(server.identifies) == 2


async def test_closing_waits_for_the_answers_under_way(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation) as client:
        message_id = await server.write("slow")
        await server.until(lambda: server.asked("POST", "typing"))
        closing = asyncio.create_task(client.close())
        asyncio.get_running_loop().call_soon(conversation.release.set)
        await closing

    assert server.seen_by() == ["듣고 있어요."]
    assert conversation.confirmed == [message_id]


async def test_an_answer_that_takes_too_long_at_the_end_is_left_for_the_next_start(
    server: DiscordServer, conversation: ScriptedConversation
) -> None:
    async with open_door(conversation) as client:
        await server.write("slow")
        await server.until(lambda: server.asked("POST", "typing"))
        await client.drain(0)

    assert server.seen_by() == []
    assert conversation.confirmed == []


async def test_no_log_ever_holds_what_was_said(
    server: DiscordServer, conversation: ScriptedConversation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="discord")
    server.faults["messages"].append(Fault(400, code=50035))
    server.faults["callback"].append(Fault(404, code=10062))
    async with open_door(conversation):
        await server.write("비밀이에요")
        await server.until(lambda: server.asked("POST", "messages"))
        await server.command("tone", character="seonbi")
        await server.until(lambda: server.asked("POST", "callback"))
        await server.write("이것도 비밀이에요")
        await server.until(server.seen_by)

    assert any("code 50035" in line for line in caplog.messages)
    assert any("code 10062" in line for line in caplog.messages)
    assert not any(word in caplog.text for word in ("비밀", "듣고", "seonbi", "\\ube44\\ubc00"))


def test_a_notice_that_does_not_fit_below_gets_a_message_of_its_own() -> None:
    said, notice = "가" * 1_800, "나" * 150 + "\n\n" + "다" * 150

    assert pages([Part(said), Part(notice, Kind.NOTICE)]) == [said, notice]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("첫째 문단.\n\n둘째 문단. 더", ["첫째 문단.", "둘째 문단. 더"]),
        ("첫째 줄이고\n둘째 줄. 더", ["첫째 줄이고", "둘째 줄. 더"]),
        ("그랬군요. 많이 힘들었겠어요", ["그랬군요.", "많이 힘들었겠어요"]),
        ("많이많이 힘들었겠어요", ["많이많이", "힘들었겠어요"]),
        ("가나다라마바사아자차카", ["가나다라마바사아자차", "카"]),
        ("가나 다라 \u0301마바사아자", ["가나", "다라 \u0301마바사아자"]),
        ("0123456789 다음", ["0123456789", "다음"]),
    ],
)
def test_a_text_is_cut_where_a_reader_would_pause(text: str, pieces: list[str]) -> None:
    assert split(text, 10) == pieces


@pytest.mark.parametrize(
    "sign", [FAMILY, "🇰🇷", "👍🏽", "\u1100\u1161\u11a8", "e\u0301", "❤\ufe0f", "1\ufe0f\u20e3", SCOTLAND]
)
@pytest.mark.parametrize("offset", range(4))
def test_a_cut_never_tears_one_sign(sign: str, offset: int) -> None:
    pieces = split("가" * offset + sign * 20, 32)

    assert len(pieces) > 1
    assert all(piece.lstrip("가").replace(sign, "") == "" for piece in pieces)


@given(st.text(st.sampled_from("가나 .\n\u0301\u200d👩🇰🇷"), max_size=200), st.integers(2, 40))
def test_nothing_but_blanks_is_lost_and_no_piece_is_too_long(text: str, longest: int) -> None:
    pieces = split(text, longest)

    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece and len(piece.encode("utf-16-le")) <= 2 * longest for piece in pieces)
