"""The page as somebody meets it: memory of the idle server, and the wait from Enter to the first words of a reply.

    .venv/bin/python -m bench.page > bench/results/page.json

A process of `mentos serve` with the script, and a real Chromium. Waits are wall time in ms, of twenty
messages.
"""

import asyncio
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from playwright.async_api import async_playwright

from tests.browser import CLOSED, found_browser
from tests.served import Served, serving

SAID = [
    "요즘 잠이 잘 안 와요",
    "고양이 나비를 키워요",
    "팀장님이 제 실수를 다른 사람들 앞에서 자꾸 이야기해요",
    "내일 면접이라 너무 떨려요",
]
MESSAGES = 20
IDLE_AFTER_S = 5
"""When a server to which nobody has come counts as idle."""


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        async with serving(Path(folder) / "home") as served:
            figures: dict[str, float] = {"start_s": round(perf_counter() - start, 1)}
            await asyncio.sleep(IDLE_AFTER_S)
            figures["idle_rss_mb"] = resident_mb(served)
            waits = await talk(served.url)
            figures["enter_to_first_words_ms_median"] = round(statistics.median(waits))
            figures["enter_to_first_words_ms_worst"] = round(max(waits))
            figures["rss_after_the_talk_mb"] = resident_mb(served)
    print(json.dumps(figures, indent=2))


async def talk(url: str) -> list[float]:
    waits = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found_browser(), args=CLOSED)
        page = await browser.new_page(locale="ko-KR")
        await page.goto(url)
        await page.locator(".log").wait_for()
        for number in range(MESSAGES):
            await page.locator("textarea").fill(SAID[number % len(SAID)])
            start = perf_counter()
            await page.keyboard.press("Enter")
            await page.locator(f".turn:nth-of-type({number + 1}) .mentos").wait_for()
            waits.append(1_000 * (perf_counter() - start))
            await page.locator('.log[aria-busy="false"]').wait_for()
        await browser.close()
    return waits


def resident_mb(served: Served) -> float:
    status = Path(f"/proc/{served.process.pid}/status").read_text("utf-8")
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024)


if __name__ == "__main__":
    asyncio.run(main())
