"""docker-compose.yml: what it starts, and that nothing in it is open or guessable."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SECRETS = {
    "MYSQL_PASSWORD": "a",
    "QDRANT_API_KEY": "b",
    "MENTOS_KEYS__MASTER": "c",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    return found


def test_the_four_parts_are_there(services: dict[str, Any]) -> None:
    assert {"mysql", "qdrant", "tgi", "bot"} <= services.keys()


def test_every_port_is_bound_to_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values() if "image" in service]
    assert all(re.search(r":v?\d+\.\d", image) for image in images), images


def test_no_secret_has_a_default(services: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    for name in SECRETS:
        assert f"${{{name}:?" in text


def test_the_bot_reads_only_settings_that_exist(services: dict[str, Any]) -> None:
    from bot.settings import Settings

    for variable in services["bot"]["environment"]:
        part, _, rest = variable.removeprefix("MENTOS_").lower().partition("__")
        field = Settings.model_fields[part]
        if rest:
            assert field.annotation is not None
            assert rest in field.annotation.model_fields


def test_docker_compose_itself_accepts_it() -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        if os.environ.get("MENTOS_REQUIRE_COMPOSE"):
            pytest.fail("docker-compose is missing: apt-get install docker-compose")
        pytest.skip("docker-compose is not installed: its own check did not run (apt-get install docker-compose)")
    command = [compose, "-f", str(ROOT / "docker-compose.yml"), "config"]
    environment = {"PATH": os.environ["PATH"]}
    good = subprocess.run(
        command, env={**environment, **SECRETS}, capture_output=True, text=True, cwd=ROOT / "tests", check=False
    )
    assert good.returncode == 0, good.stderr
    without = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT / "tests", check=False)
    assert without.returncode != 0
    assert "MYSQL_PASSWORD" in without.stderr
