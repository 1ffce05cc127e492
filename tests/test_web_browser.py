"""The page in a browser, as people meet it."""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Route, expect
from sqlalchemy import update

from bot.app import now, open_mentos
from bot.conversation.model import EmotionLabel, Scope
from bot.conversation.ports import Responder
from bot.journal.plot import counsel_png, days_png
from bot.messengers.web.door import WebDoor
from bot.safety.assess import assess
from bot.safety.replies import words as crisis_words
from bot.settings import Settings
from storage.tables import dialog
from tests.browser import a_browser, screenshot, served
from tests.fakes import SayingResponder
from tests.web_door import HeldResponder, Place, web_strings

pytestmark = pytest.mark.asyncio(loop_scope="module")

expect.set_options(timeout=20_000)

KO = web_strings()["ko"]["web"]
EN = web_strings()["en"]["web"]
IN_DANGER = "오늘 죽으려고 해. 유서도 썼어"
NOT_HEARD_MS = 12_000
HOSTILE = (
    '<img src="https://elsewhere.test/x.png" onerror="alert(1)"> ![](https://elsewhere.test/y.png) '
    "<script>alert(2)</script> $$x$$"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as found:
        yield found


@dataclass
class Visit:
    """A page, and all that it asked for or complained of."""

    page: Page
    url: str
    requested: list[str]
    complaints: list[str]

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self.url + path)
        await expect(self.page.locator(".log")).to_be_visible(timeout=30_000)

    async def say(self, text: str) -> None:
        await self.page.locator("textarea").fill(text)
        await self.page.keyboard.press("Enter")

    async def reply(self, text: str) -> None:
        """Wait until all is said, and see that this is the last of it."""
        await expect(self.page.locator(".log")).to_have_attribute("aria-busy", "false")
        await expect(self.page.locator(".mentos").last).to_contain_text(text)

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()


@asynccontextmanager
async def visiting(browser: Browser, place: Place, **context: object) -> AsyncIterator[Visit]:
    async with served(place.door, place.app) as url, opened(browser, url, **context) as visit:
        yield visit


@asynccontextmanager
async def opened(browser: Browser, url: str, **context: object) -> AsyncIterator[Visit]:
    """Open a browser of somebody's own; in the end nothing was asked of anybody else, and nothing went wrong."""
    someone = await browser.new_context(**{"locale": "ko-KR", "viewport": {"width": 1280, "height": 800}, **context})  # type: ignore[arg-type]
    page = await someone.new_page()
    visit = Visit(page, url, [], [])

    def note_request(request: Request) -> None:
        visit.requested.append(request.url)

    def note_complaint(message: ConsoleMessage) -> None:
        if message.type == "error":
            visit.complaints.append(message.text)

    page.on("request", note_request)
    page.on("console", note_complaint)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    await visit.open()
    try:
        yield visit
        assert [asked for asked in visit.requested if not asked.startswith((url, "data:"))] == []
        assert [said for said in visit.complaints if not _CUT.search(said)] == []
    finally:
        await someone.close()


_CUT = re.compile("AbortError|Connection errored out")
"""What Gradio says to the console when a page is left while it still listens."""


def saying(*lines: str) -> Responder:
    return SayingResponder(*lines)


async def test_a_newcomer_is_asked_once_and_answers_with_a_click(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await screenshot(visit.page, "desktop-first")
        await visit.say("안녕하세요")
        await expect(visit.page.locator(".consent")).to_contain_text("암호화해서 저장")
        await screenshot(visit.page, "desktop-consent")
        await visit.press(KO["consent_storage"])
        await expect(visit.page.locator(".consent")).to_have_count(0)
        assert [consent.scopes for consent in place.people.consents] == [frozenset({Scope.STORAGE})]
        await visit.say("또 왔어요")
        await expect(visit.page.locator(".turn")).to_have_count(2)
        await visit.reply("그러셨군요.")
        await expect(visit.page.locator(".consent")).to_have_count(0)


async def test_three_turns_in_two_tones_stay_in_sight(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("하나")
        await visit.reply("<rule:haeyo>그러셨군요.")
        await visit.press(KO["consent_yes"])
        scholar = visit.page.get_by_role("button", name="선비")
        await scholar.click()
        await expect(scholar).to_have_attribute("aria-pressed", "true")
        for said in ("둘", "셋"):
            await visit.say(said)
            await expect(visit.page.locator(".you").last).to_contain_text(said)
            await visit.reply("<rule:seonbi>그러셨군요.")
        await expect(visit.page.locator(".you p")).to_have_text(["하나", "둘", "셋"])

        await visit.page.reload()
        await expect(visit.page.get_by_role("button", name="선비")).to_have_attribute("aria-pressed", "true")
        await expect(visit.page.locator(".you p").last).to_have_text("셋")


async def test_a_reply_grows_as_it_is_said(browser: Browser, tmp_path: Path) -> None:
    responder = HeldResponder()
    place = Place(tmp_path, responder=responder)
    async with visiting(browser, place) as visit:
        await visit.say("천천히 말해 줘요")
        reply = visit.page.locator(".mentos p")
        await expect(reply).to_contain_text("첫 문장이에요.")
        assert "둘째" not in await reply.inner_text()
        await expect(visit.page.locator(".waiting")).to_be_visible()
        first = await reply.locator("span").first.element_handle()
        responder.released.set()
        await expect(reply).to_contain_text("둘째 문장이에요.")
        await expect(visit.page.locator(".waiting")).to_have_count(0)
        # what was read out once is not put there anew
        assert first
        assert await first.evaluate("node => node.isConnected && node.textContent.includes('첫 문장이에요.')")


async def test_a_reload_in_mid_reply_loses_and_doubles_nothing(browser: Browser, tmp_path: Path) -> None:
    responder = HeldResponder()
    place = Place(tmp_path, responder=responder)
    async with visiting(browser, place) as visit:
        await visit.say("기다릴게요")
        await expect(visit.page.locator(".mentos")).to_contain_text("첫 문장이에요.")
        await visit.page.reload()
        await expect(visit.page.locator(".mentos")).to_contain_text("첫 문장이에요.")
        responder.released.set()
        await expect(visit.page.locator(".mentos")).to_contain_text("둘째 문장이에요.")
        await visit.page.reload()
        await expect(visit.page.locator(".mentos p")).to_have_text(re.compile("첫 문장이에요.*둘째 문장이에요"))
        await expect(visit.page.locator(".you p")).to_have_text(["기다릴게요"])


async def test_a_guess_at_a_feeling_is_put_right_with_a_click(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("마음이 복잡해요")
        guess = visit.page.locator(".guess summary")
        await expect(guess).to_contain_text("걱정이 드셨을까요")
        await guess.click()
        await screenshot(visit.page, "desktop-guess")
        await visit.press("슬픔")
        await expect(guess).to_contain_text("슬픈 마음이 드셨을까요")
        picture = visit.page.locator(".mood img")
        await expect(picture).to_have_attribute("alt", re.compile("슬픔"))
    assert [moment.emotion for moment in place.pencil.drawn[-1]] == [EmotionLabel.SAD]


async def test_the_mood_is_drawn_after_each_turn(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await expect(visit.page.get_by_text(KO["mood_none"])).to_be_visible()
        for count in (1, 2):
            await visit.say("걱정이 많아요")
            await expect(visit.page.locator(".mood img")).to_have_attribute("alt", re.compile(f"{count}번"))
            await visit.page.wait_for_function("document.querySelector('.mood img').naturalWidth > 0")
    assert [len(moments) for moments in place.pencil.drawn] == [1, 2]


async def test_the_last_turn_can_be_answered_anew_taken_back_and_left_behind(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("처음 답.", "다른 답.", "둘째 답."))
    async with visiting(browser, place) as visit:
        await visit.say("하나")
        await visit.reply("처음 답.")
        await visit.press(KO["again"])
        await visit.reply("다른 답.")
        await expect(visit.page.locator(".mentos")).to_have_count(1)
        await visit.say("둘")
        await visit.reply("둘째 답.")
        await visit.press(KO["undo"])
        await expect(visit.page.locator(".you p")).to_have_text(["하나"])
        await visit.reply("다른 답.")
        await visit.press(KO["new"])
        await expect(visit.page.locator(".hello")).to_be_visible()
        await expect(visit.page.locator(".you")).to_have_count(0)
        await visit.page.reload()
        await expect(visit.page.locator(".hello")).to_be_visible()


async def test_words_are_never_more_than_words(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying(HOSTILE))
    async with visiting(browser, place) as visit:
        await visit.say(HOSTILE)
        await visit.reply("![](https://elsewhere.test/y.png)")
        assert await visit.page.locator(".you p").inner_text() == HOSTILE
        assert '<img src="https://elsewhere.test/x.png"' in await visit.page.locator(".mentos p").inner_text()
        await expect(visit.page.locator(".log :is(img, script, .katex)")).to_have_count(0)
        await visit.page.reload()
        await visit.reply("![](https://elsewhere.test/y.png)")


async def test_help_comes_at_once_while_a_reply_is_being_said(browser: Browser, tmp_path: Path) -> None:
    responder = HeldResponder()
    place = Place(tmp_path, responder=responder)
    async with visiting(browser, place) as visit:
        await visit.say("이야기 들어 줘요")
        await expect(visit.page.locator(".mentos")).to_contain_text("첫 문장이에요.")
        await visit.say(IN_DANGER)
        crisis = visit.page.locator(".crisis")
        await expect(crisis).to_be_visible()
        assert await crisis.inner_text() == crisis_words(assess(IN_DANGER))
        await expect(crisis.get_by_role("link", name="109")).to_have_attribute("href", "tel:109")
        await screenshot(visit.page, "desktop-crisis")
        responder.released.set()
        await expect(visit.page.locator(".log")).to_have_attribute("aria-busy", "false")
        await visit.page.reload()
        assert await crisis.inner_text() == crisis_words(assess(IN_DANGER))


async def test_help_is_shown_while_what_came_before_is_being_stored(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    place.stored.hangs_at = frozenset({"deliver"})
    async with visiting(browser, place) as visit:
        await visit.say("/동의 네")
        await expect(visit.page.locator(".notice")).to_have_count(1)
        await visit.say("안녕하세요")
        await visit.reply("그러셨군요.")
        await visit.say(IN_DANGER)
        await expect(visit.page.locator(".crisis")).to_contain_text("109")
        assert visit.requested.count(f"{visit.url}/") == 1  # it was not loaded anew for that
        place.stored.is_back.set()


async def test_two_tabs_are_one_conversation(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        other = Visit(await visit.page.context.new_page(), visit.url, [], [])
        await other.open()
        await visit.say("왼쪽에서")
        await other.say("오른쪽에서")
        for tab in (visit, other):
            await expect(tab.page.locator(".mentos")).to_have_count(2)
            assert sorted(await tab.page.locator(".you p").all_inner_texts()) == ["오른쪽에서", "왼쪽에서"]


async def test_everything_can_be_done_with_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        keyboard = visit.page.keyboard

        async def go_to(selector: str) -> None:
            for _ in range(60):
                if await visit.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
                await keyboard.press("Tab")
            pytest.fail(f"no Tab leads to {selector}")

        await go_to('[data-say="/말투 seonbi"]')
        await keyboard.press("Enter")
        await expect(visit.page.locator('[data-say="/말투 seonbi"]')).to_have_attribute("aria-pressed", "true")
        await go_to("textarea")
        await keyboard.type("첫 줄")
        await keyboard.press("Shift+Enter")
        await keyboard.type("둘째 줄")
        await keyboard.press("Enter")
        await expect(visit.page.locator(".you p")).to_have_text("첫 줄\n둘째 줄")
        await expect(visit.page.locator("textarea")).to_be_focused()
        await visit.reply("<rule:seonbi>")
        await go_to('[data-say="/동의 아니요"]')
        await keyboard.press("Space")
        await expect(visit.page.locator(".consent")).to_have_count(0)
        await expect(visit.page.locator("textarea")).to_be_focused()
        await go_to(".guess summary")
        await keyboard.press("Enter")
        await go_to(f'[data-say="/감정 {EmotionLabel.SAD}"]')
        await keyboard.press("Enter")
        await expect(visit.page.locator(".guess summary")).to_contain_text("슬픈 마음이")


async def test_a_phone_shows_all_of_it_without_sideways_scrolling(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요. " + "가" * 300))
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
    async with visiting(browser, place, **phone) as visit:
        await screenshot(visit.page, "phone-first")
        await visit.say("https://" + "long" * 100)
        await visit.reply("가가가")
        await screenshot(visit.page, "phone")
        await visit.page.get_by_role("button", name=KO["side"]).tap()
        await expect(visit.page.get_by_role("button", name="선비")).to_be_visible()
        await screenshot(visit.page, "phone-side")
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == 390
        await visit.page.get_by_role("button", name="선비").tap()
        await expect(visit.page.get_by_role("button", name="선비")).to_be_hidden()
        for selector in ("textarea", ".send", ".hotlines"):
            await expect(visit.page.locator(selector)).to_be_in_viewport(ratio=1)


DRAWN_TWICE = """async (label) => {
    await document.fonts.ready;
    const width = () => label.getBoundingClientRect().width;
    const first = width();
    label.style.letterSpacing = "1px";
    const wide = width();
    label.style.letterSpacing = "";
    return [first, width(), wide];
}"""


async def test_words_drawn_before_their_font_came_are_drawn_anew(browser: Browser, tmp_path: Path) -> None:
    """Korean words in a browser that has no font for them: an English one, on a machine that has none either."""
    async with visiting(browser, Place(tmp_path, responder=saying("네.")), locale="en-US") as visit:
        first, second, wide = await visit.page.locator("#hotlines .urgent").evaluate(DRAWN_TWICE)
        assert first == second < wide


async def test_english_is_a_click_away_and_remembered(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.page.get_by_role("link", name="English").click()
        await expect(visit.page.get_by_text(EN["begin"])).to_be_visible()
        await visit.open("/")
        await expect(visit.page.locator("html")).to_have_attribute("lang", "en")
        await visit.say("hello")
        await visit.reply("그러셨군요.")
        await expect(visit.page.locator(".guess summary")).to_contain_text("My guess: worry")
        await expect(visit.page.locator(".consent")).to_contain_text("I am an AI, not a person")
        await visit.page.wait_for_function("document.querySelector('.mood img').naturalWidth > 0")
        await screenshot(visit.page, "desktop-english")
        await visit.page.get_by_role("link", name="한국어").click()
        await expect(visit.page.locator(".you p")).to_have_text(["hello"])
        await expect(visit.page.locator("html")).to_have_attribute("lang", "ko")


async def test_a_guest_is_somebody_new_and_can_stop_being_one(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("나예요")
        await visit.reply("그러셨군요.")
        await visit.page.get_by_role("link", name=KO["guest"]).click()
        await expect(visit.page.get_by_text("24시간 동안 말씀이 없으면")).to_be_visible()
        await expect(visit.page.locator(".you")).to_have_count(0)
        await visit.page.get_by_role("link", name=KO["guest_off"]).click()
        await expect(visit.page.locator(".you p")).to_have_text(["나예요"])


async def test_a_hundred_thousand_characters_are_read(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("하" * 100_000)
        await visit.reply("그러셨군요.")
        await expect(visit.page.locator(".you")).to_contain_text("모두 100,000자")


@asynccontextmanager
async def away(browser: Browser, place: Place) -> AsyncIterator[tuple[Visit, AbstractAsyncContextManager[str]]]:
    """Give a page whose server is gone, and what brings the server back."""
    async with AsyncExitStack() as stack:
        async with served(place.door, place.app) as url:
            visit = await stack.enter_async_context(opened(browser, url))
        yield visit, served(place.door, place.app, port=int(url.rpartition(":")[2]))
        visit.complaints.clear()  # of a server that was gone


@pytest.mark.parametrize("said", ["잃어버리고 싶지 않은 말", IN_DANGER])
async def test_words_that_the_server_never_heard_arrive_once_it_is_back(
    browser: Browser, tmp_path: Path, said: str
) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with away(browser, place) as (visit, back):
        await visit.say(said)
        await expect(visit.page.locator(".lost")).to_have_text(KO["lost"])
        await expect(visit.page.locator("textarea")).to_have_value(said)
        await screenshot(visit.page, "desktop-lost")
        async with back:
            await expect(visit.page.locator(".you p")).to_have_text([said])  # it loads itself anew
            answered = visit.page.locator(".crisis" if said == IN_DANGER else ".mentos")
            await expect(answered).to_contain_text("109" if said == IN_DANGER else "그러셨군요.")
            await expect(visit.page.locator(".lost")).to_have_text("")
            await expect(visit.page.locator("textarea")).to_have_value("")


async def test_words_put_otherwise_meanwhile_are_not_sent_as_they_were(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with away(browser, place) as (visit, back):
        box = visit.page.locator("textarea")
        await visit.say("엄마가 미워요")
        await expect(box).to_have_value("엄마가 미워요")
        await visit.say("엄마에게 서운해요")
        await expect(visit.page.locator(".lost")).to_have_text(KO["lost"])
        await expect(box).to_have_value("엄마에게 서운해요")  # where it can be seen until it has arrived
        async with back:
            await expect(visit.page.locator(".you p")).to_have_text(["엄마에게 서운해요"])
            await visit.reply("그러셨군요.")
            await expect(box).to_have_value("")


async def test_a_command_is_not_sent_anew_unseen(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with away(browser, place) as (visit, back):
        await visit.say("/새상담")
        await expect(visit.page.locator(".lost")).to_have_text(KO["lost"])
        async with back:
            await expect(visit.page.locator(".lost")).to_have_text(KO["back"])
            await expect(visit.page.locator("textarea")).to_have_value("/새상담")
            await expect(visit.page.locator(".notice")).to_have_count(0)


async def test_an_idle_page_finds_the_bot_that_was_started_anew(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with away(browser, place) as (visit, back), visit.page.expect_event("load") as loaded, back:
        await loaded.value
        await visit.say(IN_DANGER)
        await expect(visit.page.locator(".crisis")).to_contain_text("109")


async def swallow(route: Route) -> None:
    """Answer as if the words were heard, and drop them."""
    await route.fulfill(json={"event_id": "0" * 32})


async def vanish(visit: Visit, *texts: str) -> None:
    """Say what is swallowed, and wait until the page has loaded itself anew."""
    await visit.page.clock.install()
    await visit.page.route("**/queue/join**", swallow, times=len(texts))
    for text in texts:
        async with visit.page.expect_response("**/queue/join**"):
            await visit.say(text)
    async with visit.page.expect_event("load"):
        await visit.page.clock.run_for(NOT_HEARD_MS)


async def test_words_that_vanish_without_an_error_are_sent_anew_in_their_order(
    browser: Browser, tmp_path: Path
) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await vanish(visit, "하나만 들어 주세요", "둘도 들어 주세요")
        await expect(visit.page.locator(".you p")).to_have_text(["하나만 들어 주세요", "둘도 들어 주세요"])
        await expect(visit.page.locator("textarea")).to_have_value("")
        await expect(visit.page.locator(".lost")).to_have_text("")


async def test_words_are_sent_anew_and_a_command_waits(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await vanish(visit, "/새상담", "안녕하세요")
        await expect(visit.page.locator(".you p")).to_have_text(["안녕하세요"])
        await expect(visit.page.locator("textarea")).to_have_value("/새상담")
        await expect(visit.page.locator(".lost")).to_have_text(KO["back"])
        await screenshot(visit.page, "desktop-back")


async def test_what_was_said_as_somebody_else_is_not_sent_unseen(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.page.route("**/queue/join**", swallow, times=1)
        async with visit.page.expect_response("**/queue/join**"):
            await visit.say("손님이 할 말은 아니에요")
        await visit.open("/guest")
        await expect(visit.page.locator(".lost")).to_have_text(KO["back"])
        await expect(visit.page.locator("textarea")).to_have_value("손님이 할 말은 아니에요")
        await expect(visit.page.locator(".you")).to_have_count(0)


async def test_a_page_that_is_never_heard_loads_itself_anew_only_once(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:

        def says(request: Request) -> bool:
            return "들어 주세요" in (request.post_data or "")

        async def swallow_words(route: Route) -> None:
            await (swallow(route) if says(route.request) else route.continue_())

        await visit.page.route("**/queue/join**", swallow_words)
        await visit.page.clock.install()
        visit.requested.clear()
        async with visit.page.expect_response(lambda response: says(response.request)):
            await visit.say("들어 주세요")
        async with visit.page.expect_response(lambda response: says(response.request)):
            await visit.page.clock.run_for(NOT_HEARD_MS)
        for _ in range(2):
            await visit.page.clock.run_for(NOT_HEARD_MS)
            await expect(visit.page.locator(".lost")).to_have_text(KO["lost"])
            await expect(visit.page.locator("textarea")).to_have_value("들어 주세요")
        assert visit.requested.count(f"{visit.url}/") == 1


async def test_danger_is_heard_however_much_is_pasted_around_it(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("하" * 100_001 + " 나 오늘 죽으려고 해. 유서도 썼어")
        await expect(visit.page.locator(".crisis")).to_contain_text("109")
        await expect(visit.page.locator("textarea")).to_have_value("")


async def test_what_is_longer_than_can_be_read_stays_in_the_box(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.say("하" * 100_001)
        await expect(visit.page.locator(".notice").last).to_have_text(KO["too_long"])
        await expect(visit.page.locator("textarea")).to_have_value("하" * 100_001)


async def test_a_tab_from_before_somebody_became_a_guest_is_the_guest_s_too(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        other = await visit.page.context.new_page()
        await other.goto(f"{visit.url}/guest")
        await expect(visit.page.locator(".who")).to_contain_text(KO["guest_off"])

        await visit.say("나 오늘 죽으려고 해. 유서도 썼어")

        await expect(visit.page.locator(".crisis")).to_contain_text("109")


async def test_help_is_shown_to_a_guest_in_a_tab_that_knows_of_none(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:
        await visit.page.request.get(f"{visit.url}/guest")  # no tab tells of it
        await visit.page.clock.install()

        async with visit.page.expect_response("**/queue/join**"):
            await visit.say("나 오늘 죽으려고 해. 유서도 썼어")
        await visit.page.clock.run_for(NOT_HEARD_MS)

        await expect(visit.page.locator(".crisis")).to_contain_text("109")


async def test_what_waited_behind_a_reply_is_not_answered_after_help(browser: Browser, tmp_path: Path) -> None:
    held = HeldResponder()
    place = Place(tmp_path, responder=held)
    async with visiting(browser, place) as visit:
        await visit.say("첫 번째 말")
        await expect(visit.page.locator(".mentos").last).to_contain_text("첫 문장이에요.")
        await visit.say("두 번째 말")
        await expect(visit.page.locator(".you")).to_have_count(2)
        await visit.say(IN_DANGER)
        await expect(visit.page.locator(".crisis")).to_be_visible()

        held.released.set()

        await expect(visit.page.locator(".log")).to_have_attribute("aria-busy", "false")
        await expect(visit.page.locator(".mentos")).to_have_count(1)


async def test_words_are_heard_once_though_their_way_back_is_cut(browser: Browser, tmp_path: Path) -> None:
    place = Place(tmp_path, responder=saying("그러셨군요."))
    async with visiting(browser, place) as visit:

        async def cut(route: Route) -> None:
            await route.fetch()  # it is heard
            await route.abort()  # and nobody is told

        await visit.page.route("**/queue/join**", cut, times=1)
        await visit.say("한 번만 들어 주세요")
        await visit.reply("그러셨군요.")
        await expect(visit.page.locator("textarea")).to_have_value("")
        await expect(visit.page.locator(".you p")).to_have_text(["한 번만 들어 주세요"])
        visit.complaints.clear()  # of the line that we cut


async def test_mentos_as_it_is_put_together_talks_draws_and_remembers(browser: Browser, tmp_path: Path) -> None:
    async with open_mentos(Settings(home=tmp_path, _env_file=None)) as mentos:  # type: ignore[call-arg]
        door = WebDoor(
            conversation=mentos.conversation,
            journal=mentos.journal,
            characters=list(mentos.characters.values()),
            strings=web_strings(),
            draw=partial(counsel_png, size=(720, 540)),
            draw_days=partial(days_png, size=(720, 540), tz=UTC),
            home=tmp_path,
            now=now,
            guest_hours=24,
        )
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        door.mount(app)
        async with served(door, app) as url, opened(browser, url) as visit, opened(browser, url) as stranger:
            await visit.say("요즘 잠이 잘 안 와요. 회사 일이 계속 걱정돼서요")
            await visit.press(KO["consent_yes"])
            await expect(visit.page.locator(".consent")).to_have_count(0)
            await visit.say("팀장님이 다른 사람들 앞에서 제 실수를 자꾸 이야기해요. 그때마다 숨고 싶어져요.")
            await expect(visit.page.locator(".mentos")).to_have_count(2)
            await visit.say("그래도 동료가 커피를 사 줘서 조금 고마웠어요")
            await expect(visit.page.locator(".mentos")).to_have_count(3)
            await visit.page.wait_for_function("document.querySelector('.mood img').naturalWidth == 720")
            await screenshot(visit.page, "desktop")
            await visit.page.emulate_media(color_scheme="dark")
            await screenshot(visit.page, "desktop-dark")
            await visit.page.reload()
            await expect(visit.page.locator(".mentos")).to_have_count(3)
            await stranger.page.reload()
            await expect(stranger.page.locator(".hello")).to_be_visible()

            await visit.page.emulate_media(color_scheme="light")
            await visit.page.locator(".tone", has_text="선비").click()
            await expect(visit.page.locator(".tone[aria-pressed=true]")).to_contain_text("선비")
            await visit.say("내일은 조금 일찍 자 보려고요")
            await expect(visit.page.locator(".mentos")).to_have_count(4)
            await expect(visit.page.locator(".mentos").last).to_contain_text(re.compile("(?:소|오|구려)[.?]"))
            await visit.page.set_viewport_size({"width": 390, "height": 844})
            await visit.page.locator(".you").last.scroll_into_view_if_needed()
            await screenshot(visit.page, "phone-talk")

            await visit.page.set_viewport_size({"width": 1280, "height": 800})
            await expect(visit.page.locator(".mood img")).to_have_count(1)
            assert mentos.storage
            a_day_ago = update(dialog).values(dt_dialog=now() - timedelta(days=1)).where(dialog.c.dialog_id == 1)
            await mentos.storage.rows.write(lambda connection: connection.execute(a_day_ago))
            await visit.page.reload()
            await expect(visit.page.locator(".mood img")).to_have_count(2)
            await visit.page.wait_for_function("document.querySelectorAll('.mood img')[1].naturalWidth == 720")
            await visit.page.locator(".mood img").last.scroll_into_view_if_needed()
            await screenshot(visit.page, "desktop-days")
