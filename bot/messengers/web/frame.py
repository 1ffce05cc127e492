"""The page as it leaves: Gradio's own, without what it would load from elsewhere, under a policy that forbids it."""

import re
import secrets
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Scope

_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Gradio evaluates the templates of `gr.HTML`, and sets styles inline."""

_ELSEWHERE = re.compile(
    r'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>'
    r'|<link\b[^>]*\brel="(?:preconnect|dns-prefetch|manifest)"[^>]*>'
    r'|<(?:link|script)\b[^>]*\b(?:href|src)="(?:https?:)?//[^>]*>(?:</script>)?'
)
_HEAD = """
<title>{title}</title>
<meta name="description" content="{begin}">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/web.css">
</head>"""
_BEFORE = """<noscript><p class="noscript">{noscript}<br>{hotlines}</p></noscript>
<gradio-app"""


async def framed(app: ASGIApp, scope: Scope, *, language: str, words: Mapping[str, str], hotlines: str) -> HTMLResponse:
    """Ask Gradio for its page and return it as ours. `hotlines` is HTML."""
    page = await _body(app, scope)
    nonce = secrets.token_urlsafe(16)
    page = _ELSEWHERE.sub("", page)
    page = re.sub(r'<html\s+lang="\w+"', f'<html lang="{language}"', page, count=1)
    page = page.replace("<script", f'<script nonce="{nonce}"')
    plain = {key: escape(text) for key, text in words.items()}
    page = page.replace("</head>", _HEAD.format_map(plain), 1)
    page = page.replace("<gradio-app", _BEFORE.format(noscript=plain["noscript"], hotlines=hotlines), 1)
    headers = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
    return HTMLResponse(page, headers=headers)


async def _body(app: ASGIApp, scope: Scope) -> str:
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        chunks.append(message.get("body", b""))

    plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    await app({**scope, "method": "GET", "headers": plain}, receive, send)
    return b"".join(chunks).decode()
