"""What is said to somebody in danger: fixed, reviewed words from `crisis.toml`, never generated, never restyled."""

from bot.resources import strings, toml
from bot.safety.assess import Level, Risk, Route, assess


def numbers() -> dict[str, str]:
    """Return every phone number that Mentos may say, by its name in `hotlines.toml`."""
    return {name: line["number"] for name, line in toml("hotlines.toml").items()}


def _situation(risk: Risk) -> str:
    if risk.route is Route.OVERDOSE:
        return "overdose"
    if risk.tier == 3:
        return "imminent"
    match risk.level, risk.tier:
        case Level.PASSIVE, 1:
            return "soft"
        case Level.PASSIVE, _:
            return "active"
        case Level.SELF_HARM, 1:
            return "self_harm_before"
    return risk.level.value


def words(risk: Risk, language: str = "ko") -> str:
    """Return the fixed words for an urgent risk, in Korean where the language has none. ValueError if it is not."""
    if not risk.is_urgent:
        raise ValueError(f"no fixed words for {risk}: ask only when `is_urgent`")
    replies = toml("crisis.toml")
    said: str = replies.get(language, replies["ko"])[_situation(risk)]
    return said.strip().format(**numbers())


def unable(text: str, language: str = "ko") -> str:
    """Return what to say when answering a text failed: the fixed words if it is urgent, otherwise an apology."""
    risk = assess(text)
    return words(risk, language) if risk.is_urgent else strings(language)["core"]["unable"]
