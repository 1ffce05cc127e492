"""The environment as settings."""

from pathlib import Path

import pytest

from bot.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MENTOS_HOME", "MENTOS_DATABASE__URL", "MENTOS_CONSENT__ASSUME"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_has_to_be_set() -> None:
    settings = read_settings()
    assert settings.home == Path("~/.local/share/mentos").expanduser()
    assert settings.database.url is None
    assert settings.kakao.header == "X-Mentos-Key"
    assert settings.kakao.callback_hosts == ["bot-api.kakao.com"]
    assert settings.retention.guest_hours == 24


def test_two_underscores_lead_into_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTOS_LLM__URL", "http://tgi:80")
    monkeypatch.setenv("MENTOS_KAKAO__CALLBACK_HOSTS", '["127.0.0.1", "bot-api.kakao.com"]')
    monkeypatch.setenv("MENTOS_CONSENT__ASSUME", "storage, memory")
    settings = read_settings()
    assert settings.llm.url == "http://tgi:80"
    assert settings.kakao.callback_hosts == ["127.0.0.1", "bot-api.kakao.com"]
    monkeypatch.setenv("MENTOS_KAKAO__CALLBACK_HOSTS", "127.0.0.1,bot-api.kakao.com")
    assert read_settings().kakao.callback_hosts == settings.kakao.callback_hosts
    assert settings.consent.assume == {"storage", "memory"}


def test_a_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MENTOS_LANGUAGE=en\nMENTOS_PUBLIC_URL=https://file\nMYSQL_PASSWORD=x\n")
    monkeypatch.setenv("MENTOS_PUBLIC_URL", "https://environment")
    settings = read_settings()
    assert settings.language == "en"
    assert settings.public_url == "https://environment"


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTOS_DATABASE__URL", "")
    assert read_settings().database.url is None


def test_a_wrong_value_is_named_but_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTOS_RETENTION__GUEST_HOURS", "soon")
    with pytest.raises(SettingsError, match="MENTOS_RETENTION__GUEST_HOURS") as raised:
        read_settings()
    assert "soon" not in str(raised.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MENTOS_DISCORD__TOKEN", "MENTOS_KAKAO__SECRET", "MENTOS_KEYS__MASTER", "MENTOS_LLM__API_KEY"):
        monkeypatch.setenv(name, "hunter2")
    assert "hunter2" not in repr(read_settings())
