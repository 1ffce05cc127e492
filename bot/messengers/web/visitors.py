"""Who is at the page: a random cookie that this browser alone holds, and a second one for guests."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response

from bot.conversation.model import Account

MESSENGER = "web"
NOBODY = "nobody"

_KNOWN = "mentos"
_GUEST = "mentos_guest"
_LANGUAGE = "mentos_language"
_LIFETIME = timedelta(days=400)  # as long as browsers keep any cookie
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def account_of(cookies: Mapping[str, str]) -> Account | None:
    """Return whose cookies these are: a guest's while there is a guest's cookie. None without either."""
    for name in (_GUEST, _KNOWN):
        token = cookies.get(name, "")
        if _TOKEN.fullmatch(token):
            return Account(MESSENGER, hashlib.sha256(token.encode()).hexdigest(), is_guest=name == _GUEST)
    return None


def browser_of(cookies: Mapping[str, str]) -> str:
    """Name who holds a browser, the same whether its person or a guest speaks; `NOBODY` without cookies."""
    tokens = (cookies.get(name, "") for name in (_KNOWN, _GUEST))
    token = next(filter(_TOKEN.fullmatch, tokens), None)
    return hashlib.sha256(token.encode()).hexdigest() if token else NOBODY


def language_of(cookies: Mapping[str, str]) -> str:
    return "en" if cookies.get(_LANGUAGE) == "en" else "ko"


def recognise(response: Response, cookies: Mapping[str, str], *, is_https: bool) -> None:
    """Have a newcomer known by this browser from now on, and everybody else for longer."""
    token = cookies.get(_KNOWN, "")
    if not _TOKEN.fullmatch(token):
        if account_of(cookies):
            return
        token = secrets.token_urlsafe(32)
    _set(response, _KNOWN, token, is_https=is_https, lifetime=_LIFETIME)


def begin_guest(response: Response, *, is_https: bool) -> None:
    """Make somebody new of this browser until it closes. Whom it knew before is kept beside it."""
    _set(response, _GUEST, secrets.token_urlsafe(32), is_https=is_https, lifetime=None)


def end_guest(response: Response) -> None:
    response.delete_cookie(_GUEST, path="/")


def remember_language(response: Response, language: str, *, is_https: bool) -> None:
    _set(response, _LANGUAGE, language, is_https=is_https, lifetime=_LIFETIME)


def _set(response: Response, name: str, value: str, *, is_https: bool, lifetime: timedelta | None) -> None:
    age = int(lifetime.total_seconds()) if lifetime else None
    response.set_cookie(name, value, max_age=age, path="/", secure=is_https, httponly=True, samesite="lax")
