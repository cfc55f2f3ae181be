"""The files that production starts from keep in step with the code: there is no Docker here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import redis
from ruamel.yaml import YAML
from tests.fleet.fleet import free_port

from darkroom import broker, cli
from darkroom.configure import load
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_simulator.flags import Flags

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
FILE: dict[str, Any] = YAML(typ="safe", pure=True).load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: each for name, each in SERVICES.items() if "darkroom" in each["image"]}
SECRETS = "/run/secrets/"

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
each_of_ours = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


def example() -> dict[str, str]:
    """What `.env.example` would set if nothing in it were commented out."""
    return dict(re.findall(r"^(?:# )?([A-Z_0-9]+)=(.*)$", EXAMPLE, re.MULTILINE))


def filled(value: str, env: dict[str, str]) -> str:
    """Interpolate as Docker Compose does: `${NAME:-default}`, and `$$` for a dollar."""
    put = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: env.get(found[1]) or found[2], value)
    return put.replace("$$", "$")


def secrets(tmp_path: Path) -> dict[str, Path]:
    """Secrets as the how-to makes them."""
    texts = {
        "database_url": "postgresql://darkroom:p@postgres/darkroom",
        "broker_url": "redis://:p@redis:6379/0",
    }
    made = {name: tmp_path / name for name in FILE["secrets"]}
    for name, path in made.items():
        path.write_text(texts.get(name, "secret"), encoding="utf-8")
    return made


def environment(service: dict[str, Any], tmp_path: Path, env: dict[str, str]) -> dict[str, str]:
    own = {name: filled(value, env) for name, value in service["environment"].items()}
    for name, path in secrets(tmp_path).items():
        if name in service.get("secrets", []):
            own = {key: value.replace(SECRETS + name, str(path)) for key, value in own.items()}
    return own


@each_of_ours
@pytest.mark.parametrize("env", [{}, example()], ids=["bare", "example"])
def test_every_variable_of_a_service_is_a_setting(
    service: dict[str, Any], env: dict[str, str], tmp_path: Path
) -> None:
    given = env if service.get("env_file") else {}

    settings = load({}, {**given, **environment(service, tmp_path, env)}, tmp_path).settings

    assert settings.home.is_absolute()
    if "database_url" in service["secrets"]:
        assert settings.sql_url == "postgresql+psycopg://darkroom:p@postgres/darkroom"
        assert not settings.is_embedded
        assert settings.storage_url == "/images"


def test_every_secret_that_a_service_reads_is_given_to_it() -> None:
    for service in SERVICES.values():
        text = str([service.get("environment"), service.get("command"), service["healthcheck"]])
        read = set(re.findall(rf"{SECRETS}(\w+)", text))

        assert read == set(service.get("secrets", []))


def test_the_example_names_all_that_may_be_chosen_and_nothing_else() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE))
    named = set(example())

    assert asked <= named
    assert all(name.startswith(("DARKROOM_", "GOOGLE_")) for name in named - asked)


def parsed(words: list[str]) -> str:
    """Read a command line without running it; the last name of the command."""
    command: click.Command = cli.main
    context = click.Context(command, info_name="darkroom")
    words = list(words)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, name
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(context.info_name, words, parent=context.parent)
    return str(context.info_name)


@each_of_ours
def test_every_command_is_one_that_the_command_line_knows(service: dict[str, Any]) -> None:
    parsed(service["command"])
    if service["command"][0] == "simulator":
        Flags.parse(service["command"][1:])
    kind, *check = service["healthcheck"].get("test", ["NONE"])
    if check and check[0] == "darkroom":
        assert kind == "CMD"
        assert parsed(check[1:]) == "check"


def test_the_images_own_health_check_is_a_command() -> None:
    (words,) = re.findall(r'HEALTHCHECK .* CMD \["darkroom", (.*)\]', DOCKERFILE)

    assert parsed([word.strip(' "') for word in words.split(",")]) == "check"


@every_service
def test_a_service_has_few_rights_and_known_bounds(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert limits["memory"]
    assert limits["cpus"]
    assert service["restart"] in ("unless-stopped", "no")
    assert "healthcheck" in service
    assert seconds(filled(service["stop_grace_period"], {})) >= 15
    assert "container_name" not in service, "it could not be scaled"
    assert "ports" not in service, "nothing is reached from outside"


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)([sm])", text)
    assert found is not None, text
    return int(found[1]) * {"s": 1, "m": 60}[found[2]]


def test_docker_waits_longer_for_a_worker_than_the_worker_for_its_answers() -> None:
    stops = seconds(filled(SERVICES["worker"]["stop_grace_period"], {}))

    assert stops >= Settings().worker.grace_seconds + 30


def test_nobody_starts_on_a_schema_that_was_not_migrated() -> None:
    for name in ("worker", "scheduler", "cli"):
        waits = SERVICES[name]["depends_on"]["migrate"]
        assert waits == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["command"] == ["db", "upgrade"]


def test_a_worker_keeps_its_spool_on_a_volume() -> None:
    home = SERVICES["worker"]["environment"]["DARKROOM_HOME"]
    volumes = dict(each.split(":") for each in SERVICES["worker"]["volumes"])

    assert volumes["spool"] == home
    assert "spool" in FILE["volumes"]


def test_the_image_is_pinned_hash_locked_and_runs_as_nobody_special() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install .*", DOCKERFILE)
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)

    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", bases[0])
    assert all("--require-hashes" in each or "--no-deps" in each for each in installs)
    assert int(user) >= 10_000


def test_what_the_wheel_is_built_from_reaches_the_image_and_secrets_do_not() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = built["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {Path(each).parts[0] for each in (*wheel["packages"], *wheel["force-include"])}

    assert "*" in lines
    assert allowed >= {*needed, "pyproject.toml", "README.md", "LICENSE"}
    assert not allowed & {"secrets", ".env", ".git", ".darkroom"}
    assert all((ROOT / each).exists() for each in allowed)


def deployments() -> dict[str, dict[str, Any]]:
    """The manifests for Kubernetes in the how-to, by name."""
    how_to = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    texts = re.findall(r"^```yaml\n(.*?)^```$", how_to, re.MULTILINE | re.DOTALL)
    found = [YAML(typ="safe", pure=True).load(text) for text in texts]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_a_deployment_of_the_how_to_is_one_that_our_image_can_be(name: str, tmp_path: Path) -> None:
    pod = deployments()[f"darkroom-{name}"]
    (container,) = pod["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    for secret, path in secrets(tmp_path).items():
        env = {key: value.replace(f"/secrets/{secret}", str(path)) for key, value in env.items()}

    settings = load({}, env, tmp_path).settings

    assert not settings.is_embedded
    assert settings.has_credential(Tier.AISTUDIO) is (name == "worker")
    assert container["args"][0] == name
    assert parsed(container["args"]) == "start"
    assert container["livenessProbe"]["exec"]["command"][1] == name
    assert parsed(container["livenessProbe"]["exec"]["command"][1:]) == "check"
    assert f"USER {pod['securityContext']['runAsUser']}:" in DOCKERFILE


def test_kubernetes_waits_longer_for_a_worker_than_the_worker_for_its_answers() -> None:
    stops = deployments()["darkroom-worker"]["terminationGracePeriodSeconds"]

    assert stops >= Settings().worker.grace_seconds + 30


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[redis.Redis]:
    """The server by the very command of the file, with the wheel's program in its image's place."""
    port = free_port()
    (tmp_path / "valkey-server").symlink_to(broker.server())
    files = secrets(tmp_path)
    shell, flag, script = SERVICES["redis"]["command"]
    script = filled(script, {}).replace("/data", f"{tmp_path} --bind 127.0.0.1 --port {port}")
    script = script.replace(SECRETS + "redis_password", str(files["redis_password"]))
    path = f"{tmp_path}:{os.environ['PATH']}"
    found = shutil.which(shell)
    assert found is not None
    process = subprocess.Popen(
        [found, flag, script], env={"PATH": path}, stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    client = redis.Redis(port=port, password="secret")
    try:
        yield answering(client, process)
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def answering(client: redis.Redis, process: subprocess.Popen[bytes]) -> redis.Redis:
    ends = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            assert process.poll() is None, "the server ended at once"
            assert time.monotonic() < ends, "the server does not answer"
            time.sleep(0.02)
        else:
            return client


def test_redis_starts_as_the_file_says_with_a_password_that_no_list_of_processes_shows(
    valkey: redis.Redis,
) -> None:
    pid = valkey.info("server")["process_id"]
    port = valkey.connection_pool.connection_kwargs["port"]

    command = Path(f"/proc/{pid}/cmdline")
    assert "secret" not in (command.read_text() if command.exists() else "")
    assert valkey.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert valkey.config_get("append*")["appendonly"] == "yes"
    assert valkey.config_get("append*")["appendfsync"] == "everysec"
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
