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


@pytest.mark.parametrize("part", ["LLM", "SECOND_LLM", "INFERENCE", "QDRANT"])
@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://llm..example",
        f"http://{'a' * 70}.example",
        "http://secret:port",
        "http://tgi:99999",
        "http://134744072",
        "http://0x08080808",
        "http://8.2056",
        "localhost:8080",
        "llm.example.com/v1",
        "https://:80",
        "ftp://tgi:80",
    ],
)
def test_what_is_no_address_is_refused_at_the_start_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, part: str, url: str
) -> None:
    monkeypatch.setenv(f"MENTOS_{part}__URL", url)
    with pytest.raises(SettingsError, match=f"MENTOS_{part}__URL: it must be an address") as raised:
        read_settings()
    assert url not in str(raised.value)


def test_each_of_several_addresses_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENTOS_LLM__URL", "http://10.0.0.1:80, https://user:key@[::1]/v1 , http://tgi_1,")
    assert read_settings().llm.urls == ["http://10.0.0.1:80", "https://user:key@[::1]/v1", "http://tgi_1"]
    monkeypatch.setenv("MENTOS_LLM__URL", "http://10.0.0.1:80,tgi:80")
    with pytest.raises(SettingsError, match="MENTOS_LLM__URL"):
        read_settings()
    monkeypatch.setenv("MENTOS_QDRANT__URL", "http://10.0.0.1:80,http://10.0.0.2:80")
    with pytest.raises(SettingsError, match="URL"):
        read_settings()
