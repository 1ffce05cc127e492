"""Twelve counsels with the script, made anew from what the person says: no model, no memory, nothing kept.

    .venv/bin/python -m bench.transcripts

Writes `docs/transcripts/TOPIC-CHARACTER.md` from `said/TOPIC.txt`, a message a line, with what a reader thought of each
reply from `judged/TOPIC-CHARACTER.txt`, a line a reply.
"""

import asyncio
from pathlib import Path

from bot.app import now, open_off_record
from bot.conversation.model import Account, Message
from bot.conversation.ports import Conversation
from bot.settings import Settings

FOLDER = Path(__file__).parents[1] / "docs" / "transcripts"
CHARACTERS = {
    "work": ("mentos", "expert"),
    "study": ("friend", "enfp"),
    "breakup": ("mentos", "friend"),
    "grief-pet": ("mentos", "halbae"),
    "parenting": ("munche", "sosim"),
    "lonely": ("seonbi", "android"),
}


async def main() -> None:
    for name, text in (await transcripts()).items():
        (FOLDER / f"{name}.md").write_text(text, "utf-8")


async def transcripts() -> dict[str, str]:
    """Return each transcript by its name, as Markdown."""
    made = {}
    async with open_off_record(Settings(_env_file=None)) as mentos:  # type: ignore[call-arg]
        for topic, characters in CHARACTERS.items():
            said = (FOLDER / "said" / f"{topic}.txt").read_text("utf-8").splitlines()
            for character in characters:
                name = f"{topic}-{character}"
                replies = await talk(mentos.conversation, Account("bench", name), character, said)
                made[name] = markdown(name, said, replies)
    return made


async def talk(conversation: Conversation, account: Account, character: str, said: list[str]) -> list[str]:
    replies = []
    for number, text in enumerate([f"/말투 {character}", *said]):
        message = Message(account, str(number), text, now())
        replies.append(" ".join([part.text async for part in conversation.respond(message)]))
    return replies[1:]


def markdown(name: str, said: list[str], replies: list[str]) -> str:
    judged = (FOLDER / "judged" / f"{name}.txt").read_text("utf-8").splitlines()
    rows = [
        " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells)
        for cells in zip(said, replies, judged, strict=True)
    ]
    table = "\n".join(f"| {number} | {row} |" for number, row in enumerate(rows, start=1))
    return f"# {name}\n\n| | 사람 | 멘토스 | 읽은 이의 판단 |\n|---|---|---|---|\n{table}\n"


if __name__ == "__main__":
    asyncio.run(main())
