"""docker-compose.yml, its images and its secrets: what it starts, and that nothing in it is open or guessable."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from bot.settings import Settings, SettingsError, read_settings
from storage.keys import read_master_key
from tests.variables import bot_variables, inference_variables

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILES = [ROOT / "bot/Dockerfile", ROOT / "inference_server/Dockerfile"]
LAUNCH = ROOT / "inference_server/tgi/launch.env"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return read


@pytest.fixture(scope="module")
def services(stack: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stack["services"]
    return found


@pytest.fixture(scope="module")
def launch() -> dict[str, str]:
    lines = LAUNCH.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_each_profile_starts_its_parts(services: dict[str, Any]) -> None:
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {"mysql", "qdrant", "bot"}
    assert {name for name, service in services.items() if service.get("profiles") == ["cpu"]} == {"inference-cpu"}
    assert {name for name, service in services.items() if service.get("profiles") == ["gpu"]} == {
        "inference-gpu",
        "tgi",
    }


def test_the_bot_starts_when_its_rows_and_memories_are_well_and_waits_for_no_model(services: dict[str, Any]) -> None:
    healthy = {"condition": "service_healthy"}
    assert services["bot"]["depends_on"] == {"mysql": healthy, "qdrant": healthy}


def test_both_inference_servers_answer_to_one_name(services: dict[str, Any]) -> None:
    for name in ("inference-cpu", "inference-gpu"):
        assert services[name]["networks"]["models"]["aliases"] == ["inference"]
    assert "http://inference:8090" in (ROOT / ".env.example").read_text("utf-8")


def test_every_service_says_whether_it_is_well(services: dict[str, Any]) -> None:
    for name, service in services.items():
        built = service.get("build")
        dockerfile = (ROOT / built["dockerfile"]).read_text("utf-8") if built else ""
        assert "healthcheck" in service or "HEALTHCHECK" in dockerfile, name


def test_only_the_bot_can_be_reached_and_only_from_this_machine(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports.keys() == {"bot"}
    assert all(port.startswith("127.0.0.1:") for port in ports["bot"])


def test_only_the_bot_can_reach_out(stack: dict[str, Any], services: dict[str, Any]) -> None:
    outside = {name for name, network in stack["networks"].items() if not network.get("internal")}
    assert {name for name, service in services.items() if outside & set(service["networks"])} == {"bot"}


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values()]
    assert all(re.search(r":v?\d+\.\d+\.\d+", image) for image in images), images


def test_our_images_bear_the_version_of_the_project(services: dict[str, Any]) -> None:
    tags = {service["image"].split(":")[1] for service in services.values() if "build" in service}
    assert tags == {VERSION, f"{VERSION}-torch"}


def test_no_service_may_become_more_than_it_is(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service.get("read_only") or name == "tgi", name


def test_no_service_can_take_the_whole_machine_or_fill_its_disk_with_logs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert {"mem_limit", "pids_limit", "stop_grace_period"} <= service.keys(), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_no_secret_is_a_variable_and_each_is_a_file_of_its_own(stack: dict[str, Any], services: dict[str, Any]) -> None:
    assert stack["secrets"] == {name: {"file": f"./secrets/{name}"} for name in stack["secrets"]}
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN$|API_KEY|MASTER", variable):
                assert str(value).startswith("/run/secrets"), (name, variable)
        assert set(service.get("secrets", [])) <= stack["secrets"].keys()
    used = {secret for service in services.values() for secret in service.get("secrets", [])}
    assert used == stack["secrets"].keys()


def test_secrets_and_models_are_in_no_commit_and_in_no_image() -> None:
    for folder in ("secrets", "models"):
        assert (ROOT / folder / ".gitignore").read_text("utf-8").splitlines()[0] == "*"
    ignored, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]
    assert ignored == "*"
    assert {line[1:] for line in allowed if line.startswith("!")} == {
        source
        for dockerfile in DOCKERFILES
        for words in _instructions(dockerfile, "COPY")
        if not words[0].startswith("--from")
        for source in words[:-1]
    }


def test_the_bot_reads_only_settings_that_exist(services: dict[str, Any]) -> None:
    bot = services["bot"]
    assert bot["environment"].keys() <= bot_variables()
    files = {name.upper() for name in bot["secrets"] if name.startswith("mentos_")}
    assert files <= bot_variables()
    assert bot["environment"]["MENTOS_KEYS__MASTER_FILE"] == "/run/secrets/master_key"
    assert "master_key" in bot["secrets"]


def test_what_the_document_has_operators_set_reaches_the_bot(stack: dict[str, Any], services: dict[str, Any]) -> None:
    document = (ROOT / "docs/operating.md").read_text("utf-8")
    for_one_machine = document.partition("## More than one machine")[0]
    named = set(re.findall(r"MENTOS_[A-Z_]*[A-Z]", for_one_machine)) & bot_variables()
    bot = services["bot"]
    assert named - bot["environment"].keys() - {name.upper() for name in stack["secrets"]} <= {"MENTOS_PEERS"}


def test_the_inference_server_reads_only_settings_that_exist(services: dict[str, Any]) -> None:
    for name in ("inference-cpu", "inference-gpu"):
        assert services[name]["environment"].keys() <= inference_variables()


def test_the_example_names_only_settings_that_exist() -> None:
    named = set(re.findall(r"MENTOS_[A-Z_]+(?==)", (ROOT / ".env.example").read_text("utf-8")))
    assert named
    assert named <= bot_variables() | inference_variables()


def test_the_language_model_takes_what_the_bot_sends(launch: dict[str, str]) -> None:
    llm = Settings.model_fields["llm"].default
    assert int(launch["MAX_INPUT_TOKENS"]) == llm.max_input_tokens
    assert int(launch["MAX_TOTAL_TOKENS"]) >= llm.max_input_tokens + llm.max_tokens
    assert int(launch["MAX_CONCURRENT_REQUESTS"]) < 128
    assert {"DTYPE", "QUANTIZE"} & launch.keys() in ({"DTYPE"}, {"QUANTIZE"})
    assert launch["HF_HUB_OFFLINE"] == "1"
    assert launch["MODEL_ID"].startswith("/models/EEVE-Korean-Instruct-10.8B")
    assert all(launch.values())


def test_the_adapters_are_those_of_characters() -> None:
    [adapters] = re.findall(r"^#?LORA_ADAPTERS=(.+)$", LAUNCH.read_text("utf-8"), re.M)
    names = {adapter.split("=")[0] for adapter in adapters.split(",")}
    characters = "".join(file.read_text("utf-8") for file in (ROOT / "bot/resources/characters").glob("*.toml"))
    assert names == set(re.findall(r'"lora:(\w+)"', characters))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_is_built_where_pip_is_and_runs_without_it_as_nobody(dockerfile: Path) -> None:
    build, run = re.split(r"^FROM ", dockerfile.read_text("utf-8"), flags=re.M)[1:]
    for stage in (build, run):
        assert re.match(r"python:3\.\d+\.\d+-slim-\w+", stage)
    assert "-c constraints.txt" in build
    assert not re.search(r"pip|apt-get|gcc", run)
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", run, re.M)


@contextmanager
def answering(status: int, path: str) -> Iterator[int]:
    """A server on loopback that answers a GET of this path with this status; gives its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def probes(services: dict[str, Any]) -> dict[str, tuple[list[str], str]]:
    """The commands that need no program of the image but bash or Python, and the port that each asks."""
    qdrant = [word.replace("$$", "$") for word in services["qdrant"]["healthcheck"]["test"][1:]]
    ours = {
        file.parent.name: yaml.safe_load(
            file.read_text("utf-8").split("HEALTHCHECK")[1].split("CMD ", 1)[1].split("\n")[0]
        )
        for file in DOCKERFILES
    }
    return {
        "qdrant": (qdrant, "6333"),
        "bot": ([sys.executable, *ours["bot"][1:]], "8000"),
        "inference_server": ([sys.executable, *ours["inference_server"][1:]], "8090"),
    }


@pytest.mark.parametrize(("part", "path"), [("qdrant", "/readyz"), ("bot", "/healthz"), ("inference_server", "/ready")])
def test_a_health_check_tells_well_from_unwell_and_from_gone(part: str, path: str, services: dict[str, Any]) -> None:
    command, asked = probes(services)[part]
    found = []
    for status in (200, 503):
        with answering(status, path) as port:
            there = [word.replace(asked, str(port)) for word in command]
            found.append(subprocess.run(there, capture_output=True, check=False).returncode)
    gone = subprocess.run(there, capture_output=True, check=False).returncode
    assert found[0] == 0
    assert found[1] != 0
    assert gone != 0


def test_the_secrets_that_the_document_makes_are_those_that_are_read(
    tmp_path: Path, stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: the document's commands did not run")
    [making] = re.findall(
        r"```sh\n(mkdir -p -m 700 secrets .*?)```", (ROOT / "docs/operating.md").read_text("utf-8"), re.S
    )
    subprocess.run(["bash", "-euc", making], cwd=tmp_path, check=True)

    made = tmp_path / "secrets"
    assert {file.name for file in made.iterdir()} == stack["secrets"].keys()
    assert made.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in made.iterdir()), "containers read them as other users"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MENTOS_SECRETS", str(made))
    for name in ("MENTOS_DATABASE__URL", "MENTOS_QDRANT__API_KEY", "MENTOS_DISCORD__TOKEN", "MENTOS_KAKAO__SECRET"):
        monkeypatch.delenv(name, raising=False)
    settings = read_settings()
    password = (made / "mysql_password").read_text("utf-8").strip()
    assert settings.database.url == f"mysql+asyncmy://mentos:{password}@mysql:3306/mentos"
    assert settings.qdrant.api_key
    assert not settings.discord.token
    assert settings.kakao.secret
    assert len(read_master_key(made / "master_key")) == 32
    assert len({file.read_text("utf-8") for file in made.iterdir() if file.stat().st_size}) == 7


def test_secrets_are_read_as_kubernetes_lays_them_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume of a Secret: links into a folder that is a link itself, so that all change at once."""
    monkeypatch.chdir(tmp_path)
    version = tmp_path / "mounted" / "..2026_11_28"
    version.mkdir(parents=True)
    (version.parent / "..data").symlink_to(version.name)
    for name, value in {"mentos_discord__token": "hunter2\n", "mentos_kakao__secret": "hunter3"}.items():
        (version / name).write_text(value)
        (version.parent / name).symlink_to(f"..data/{name}")
    monkeypatch.setenv("MENTOS_SECRETS", str(version.parent))
    monkeypatch.setenv("MENTOS_KAKAO__SECRET", "of the environment")
    settings = read_settings()
    assert settings.discord.token
    assert settings.discord.token.get_secret_value() == "hunter2"
    assert settings.kakao.secret
    assert settings.kakao.secret.get_secret_value() == "of the environment"
    assert "hunter2" not in repr(settings)


def test_a_folder_of_secrets_that_is_not_there_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MENTOS_SECRETS", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="MENTOS_SECRETS"):
        read_settings()


def test_docker_compose_itself_accepts_it() -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        if os.environ.get("MENTOS_REQUIRE_COMPOSE"):
            pytest.fail("docker-compose is missing: apt-get install docker-compose")
        pytest.skip("docker-compose is not installed: its own check did not run (apt-get install docker-compose)")
    for profiles in ([], ["--profile", "cpu"], ["--profile", "gpu"]):
        command = [compose, "-f", str(COMPOSE), *profiles, "config", "--quiet"]
        checked = subprocess.run(
            command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, cwd=ROOT / "tests", check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_it_fits_the_compose_specification() -> None:
    pytest.importorskip("check_jsonschema", reason="the schema did not check it (pip install check-jsonschema)")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def _instructions(dockerfile: Path, name: str) -> Iterator[list[str]]:
    for line in dockerfile.read_text("utf-8").splitlines():
        if line.startswith(f"{name} "):
            yield shlex.split(line)[1:]
