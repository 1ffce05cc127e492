"""`mentos doctor`: looks at every part as it would be used, changes nothing, and says what would mend it."""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from bot.app import keys_of, master_key, rows_of
from bot.backends.embedded import load_emotions
from bot.backends.faults import ChatFault
from bot.backends.replica import Replica
from bot.conversation.model import Mendable
from bot.models import characters_of
from bot.resources import strings
from bot.settings import LanguageModel, Settings
from storage.keys import KeyStore, has_master
from storage.schema import ROWS, is_current

PATIENCE_S = 5


async def examine(settings: Settings, *, say: Callable[[str], None]) -> bool:
    """Say one line a part; return whether all that is switched on works."""
    words = strings(settings.language)["doctor"]
    checks: dict[str, Callable[[Settings], Awaitable[str | None]]] = {
        "home": _home,
        "rows": _rows,
        "keys": _keys,
        "characters": _characters,
        "emotion": _emotion,
        "llm": lambda settings: _models(settings.llm, "MENTOS_LLM__URL"),
        "second_llm": lambda settings: _models(settings.second_llm, "MENTOS_SECOND_LLM__URL"),
        "qdrant": _qdrant,
        "inference": _inference,
        "discord": _discord,
        "kakao": _kakao,
    }
    is_well = True
    for part, check in checks.items():
        try:
            found = await check(settings)
        except Mendable as error:
            is_well = False
            say(f"✗ {words[part]}: {error}")
        else:
            say(f"✓ {words[part]}: {found}" if found else f"- {words[part]}: {words['off']} {words[f'{part}_remedy']}")
    return is_well


async def _home(settings: Settings) -> str:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise Mendable(f"{nearest} cannot be written; give this user the right, or set MENTOS_HOME to another folder")
    return str(settings.home)


async def _rows(settings: Settings) -> str:
    rows = rows_of(settings)
    try:
        if _is_new(rows.where, settings.database.url):
            return f"{rows.where} (new)"
        return f"{rows.where} ({'current' if await is_current(rows, ROWS) else 'will be upgraded'})"
    finally:
        await rows.close()


async def _keys(settings: Settings) -> str:
    keys = keys_of(settings)
    try:
        if _is_new(keys.where, settings.keys.url) or not await has_master(keys):
            return f"{keys.where} (new)"
        key, where = master_key(settings)
        await KeyStore.open(keys, master_key=key)
        return f"{keys.where}, {where}"
    finally:
        await keys.close()


def _is_new(where: str, url: str | None) -> bool:
    return url is None and not Path(where).exists()


async def _characters(settings: Settings) -> str:
    return ", ".join(character.name for character in characters_of(settings).values())


async def _emotion(settings: Settings) -> str:
    return (await load_emotions().read("오늘은 마음이 놓여요")).label.value


async def _models(llm: LanguageModel, variable: str) -> str | None:
    """Return each server with its kind and the model that it holds, once that has said a word."""
    key = llm.api_key.get_secret_value() if llm.api_key else None
    found = []
    async with aiohttp.ClientSession() as session:
        for url in llm.urls:
            replica = Replica(url, session=session, api_key=key, at_once=1, kind=llm.kind)
            if not await replica.look():
                raise Mendable(f"{url} does not answer; start it, or correct {variable}")
            try:
                await replica.speak(llm.model, within_s=llm.first_token_s)
            except ChatFault as error:
                raise Mendable(
                    f"{url} gives no reply ({error}); correct {variable} or the key, look at its log, or see "
                    "'Faults of a language model' in docs/operating.md"
                ) from None
            about = replica.about
            found.append(f"{url} ({', '.join([about.dialect.kind, *about.models[:1]] if about else [])})")
    return ", ".join(found) or None


async def _qdrant(settings: Settings) -> str | None:
    key = settings.qdrant.api_key
    headers = {"api-key": key.get_secret_value()} if key else {}
    return await _answers(settings.qdrant.url, "/collections", "MENTOS_QDRANT__URL", headers=headers)


async def _inference(settings: Settings) -> str | None:
    return await _answers(settings.inference.url, "/ready", "MENTOS_INFERENCE__URL")


async def _discord(settings: Settings) -> str | None:
    return "MENTOS_DISCORD__TOKEN" if settings.discord.token else None


async def _kakao(settings: Settings) -> str | None:
    return settings.kakao.header if settings.kakao.secret else None


async def _answers(
    url: str | None, path: str, variable: str, *, headers: Mapping[str, str] | None = None
) -> str | None:
    if url is None:
        return None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as session,
            session.get(url.rstrip("/") + path, headers=headers) as response,
        ):
            status = response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Mendable(f"{url} does not answer ({type(error).__name__}); start it, or correct {variable}") from None
    if status != 200:
        raise Mendable(
            f"{url} answers {path} with {status}, not as it should; look at its log, or correct {variable} or the key"
        )
    return url
