"""The page /safety: what Mentos does in danger, what it cannot do, and where help is. Plain HTML, without a script."""

from html import escape

from bot.resources import toml

_STYLE = (
    "@font-face{font-family:'Mentos fallback';src:url('/font.ttf');unicode-range:U+1100-11FF,U+3130-318F,U+AC00-D7FF}"
    "body{font:1.05rem/1.7 'Apple SD Gothic Neo','Noto Sans KR','Malgun Gothic','Mentos fallback',system-ui,sans-serif;"
    "max-width:42rem;margin:2rem auto;padding:0 1.2rem;color-scheme:light dark}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
    "li{margin:.35rem 0}a{color:inherit}small{opacity:.75}nav{text-align:right}"
)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'"
}


def page(language: str) -> str:
    """Write the page in `ko` or `en`, with a link to the other."""
    words, other = toml("safety.toml")[language], "en" if language == "ko" else "ko"
    lines = "".join(
        f'<li><a href="tel:{line["number"]}"><b>{line["number"]}</b></a> {escape(line[language])} '
        f"<small>({escape(words['checked'])} {line['verified_on']})</small></li>"
        for line in toml("hotlines.toml").values()
    )
    sections = "".join(
        f"<section><h2>{escape(section['title'])}</h2><p>{escape(section['text'])}</p></section>"
        for section in words["section"]
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(words["title"])}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>'
        f'<nav><a href="/safety?language={other}" lang="{other}">{escape(words["other"])}</a></nav>'
        f"<main><h1>{escape(words['title'])}</h1><p>{escape(words['intro'])}</p>"
        f"<section><h2>{escape(words['numbers'])}</h2><ul>{lines}</ul></section>{sections}</main></body></html>"
    )
