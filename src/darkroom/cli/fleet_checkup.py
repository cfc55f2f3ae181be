"""What `darkroom doctor --fleet` looks at beside this machine: the three places, hands, work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

import msgspec
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from darkroom import db, embedded
from darkroom.cli import wording
from darkroom.cli.finding import Finding, Grade
from darkroom.cli.planning import duration
from darkroom.configure import without_password
from darkroom.errors import DarkroomError
from darkroom.heartbeat import open_redis, redis_time, ticking
from darkroom.jobs import rests
from darkroom.report import Fleet, Life, fleet
from darkroom.settings import Settings
from darkroom.storage import open_storage
from darkroom_manifests.money import short_dollars

_LOOKS: Final = 5
_SLOW_SECONDS: Final = (
    0.05  # a claim takes a handful of statements; at this they take half a second
)
_SKEW_SECONDS: Final = 2.0
_OLD_SECONDS: Final = 300.0
_RISKY_SHARE: Final = 0.02
_LITTLE_MEMORY: Final = 0.9


class Lag(msgspec.Struct, frozen=True):
    """How far a server is: a round trip in seconds, and its clock minus ours."""

    round_trip: float
    skew: float


def fleet_findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything that the fleet shares; nothing is changed or sent to any provider."""
    lags: dict[str, Lag] = {}
    yield from _database(settings, lags)
    yield from _broker(settings, lags)
    yield from clock_findings(lags)
    yield _listing(settings)


def _database(settings: Settings, lags: dict[str, Lag]) -> Iterator[Finding]:
    try:
        engine = db.open_engine(settings.sql_url)
        db.require_head(engine)
        lags["the database"] = _lag(lambda: _database_time(engine))
        with db.reading(engine) as connection:
            found = fleet(connection)
        engine.dispose()
    except DarkroomError as error:
        yield Finding("sql", Grade.FAIL, error.message, error.hint)
    except DBAPIError as error:
        said = str(error.orig).strip().partition("\n")[0]
        yield Finding("sql", Grade.FAIL, said, "Start it, or mend DARKROOM_DATABASE_URL.")
    else:
        yield _kind(engine)
        yield _speed("sql", lags["the database"], "Bring workers and database closer together.")
        yield from _hands(found)
        yield from _work(found)
        yield from _rests(found)
        yield _risk(found)


def _kind(engine: Engine) -> Finding:
    if engine.dialect.name == "sqlite":
        fix = "For more than one machine: DARKROOM_DATABASE_URL=postgresql://…"
        return Finding("sql", Grade.WARN, "SQLite serves one machine alone", fix)
    version = ".".join(map(str, engine.dialect.server_version_info or ()))
    return Finding("sql", Grade.OK, f"PostgreSQL {version} at revision {db.head()}")


def _database_time(engine: Engine) -> float:
    with db.reading(engine) as connection:
        return db.now(connection).timestamp()


def _lag(ask: Callable[[], float]) -> Lag:
    """Ask for the time often; the quickest answer tells the clocks' difference best."""
    ask()  # connects
    looks = []
    for _ in range(_LOOKS):
        began, told = time.time(), ask()
        ended = time.time()
        looks.append(Lag(ended - began, told - (began + ended) / 2))
    best = min(looks, key=lambda lag: lag.round_trip)
    return Lag(median(lag.round_trip for lag in looks), best.skew)


def _speed(check: str, lag: Lag, fix: str) -> Finding:
    is_slow = lag.round_trip > _SLOW_SECONDS
    fact = f"answers in {lag.round_trip * 1000:.1f} ms"
    return Finding(check, Grade.WARN if is_slow else Grade.OK, fact, fix if is_slow else None)


def _broker(settings: Settings, lags: dict[str, Lag]) -> Iterator[Finding]:
    url = _broker_url(settings)
    if url is None:
        fix = "Set DARKROOM_BROKER_URL to the fleet's, or start `darkroom up`."
        yield Finding("redis", Grade.WARN, "no broker is configured, and none runs here", fix)
        return
    redis = open_redis(url)
    try:
        lags["the broker"] = _lag(lambda: redis_time(redis))
        info: dict[str, str | int] = redis.info()
        clocks = ticking(redis)
    except (RedisError, OSError, ValueError) as error:
        fact = f"{without_password(url)} does not answer: {error}"
        yield Finding("redis", Grade.FAIL, fact, "Start it, or mend DARKROOM_BROKER_URL.")
        return
    finally:
        redis.close()
    yield _speed("redis", lags["the broker"], "Bring workers and broker closer together.")
    yield from _broker_itself(info, is_own=settings.is_embedded)
    yield _scheduler(clocks)


def _broker_url(settings: Settings) -> str | None:
    if settings.broker_url is not None:
        return settings.broker_url
    running = embedded.find(settings.home) if settings.home.is_dir() else None
    return running.broker_url if running else None


def _broker_itself(info: dict[str, str | int], *, is_own: bool) -> Iterator[Finding]:
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding("redis", Grade.OK, f"{name} {version}")
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        fact = f"it throws keys away when memory is short ({policy}): limits would be forgotten"
        yield Finding("redis", Grade.FAIL, fact, "Set maxmemory-policy to noeviction.")
    if not info.get("aof_enabled") and not is_own:
        fact = "it forgets bells and rates at a restart; nothing is lost, but work waits a moment"
        yield Finding("redis", Grade.WARN, fact, "Set appendonly yes and appendfsync everysec.")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > most * _LITTLE_MEMORY:
        fact = f"{used >> 20:,} of {most >> 20:,} MiB are used"
        yield Finding("redis", Grade.WARN, fact, "Raise maxmemory: a full broker takes no bells.")


def _scheduler(clocks: int) -> Finding:
    if clocks:
        said = "one ticks" if clocks == 1 else f"{clocks} tick"
        return Finding("scheduler", Grade.OK, said)
    fix = "darkroom scheduler start"
    fact = "none ticks: lost bells are not rung again, and dead workers are not swept up after"
    return Finding("scheduler", Grade.FAIL, fact, fix)


def clock_findings(lags: dict[str, Lag]) -> Iterator[Finding]:
    """Compare this machine's clock with those of the servers."""
    for name, lag in lags.items():
        way = "behind" if lag.skew > 0 else "ahead of"
        off = abs(lag.skew)
        if off > _SKEW_SECONDS:
            fact = f"this machine's clock is {duration(off)} {way} {name}'s"
            fix = "Run a time service, such as chrony. Leases and limits do not use this clock."
            yield Finding("clocks", Grade.WARN, fact, fix)
        else:
            fact = f"this machine's is within {max(off, 0.001):.3f} s of {name}'s"
            yield Finding("clocks", Grade.OK, fact)


def _listing(settings: Settings) -> Finding:
    url = settings.storage_url
    try:
        is_empty = next(iter(open_storage(url, settings.gcs).listing()), None) is None
    except DarkroomError as error:
        return Finding("listing", Grade.FAIL, error.message, error.hint)
    return Finding("listing", Grade.OK, f"{url} can be listed" + (", empty" if is_empty else ""))


def _hands(found: Fleet) -> Iterator[Finding]:
    tiers = sorted({tier for tier, _ in found.workers})
    alive = {tier: found.workers.get((tier, Life.WORKING), 0) for tier in tiers}
    serving = ", ".join(f"{tier} {n}" for tier, n in alive.items() if n)
    if serving:
        yield Finding("workers", Grade.OK, f"alive: {serving}")
    else:
        fact = "no worker is alive"
        yield Finding("workers", Grade.WARN, fact, "darkroom worker start")
    if draining := _most(found, Life.DRAINING):
        yield Finding("workers", Grade.OK, f"{draining} bring home what is in flight, then end")
    if silent := _most(found, Life.SILENT):
        fact = f"{silent} fell silent in the last day without having ended"
        fix = "See their logs; the next worker on the same machine settles what they left there."
        yield Finding("workers", Grade.WARN, fact, fix)


def _most(found: Fleet, life: Life) -> int:
    """Workers in this state; one that serves several tiers is counted with each."""
    return max((n for (_, one), n in found.workers.items() if one is life), default=0)


def _work(found: Fleet) -> Iterator[Finding]:
    resting = {rest.tier for rest in found.rests if rest.model == "*"}
    for tier, how_many in sorted(found.due.items()):
        waited = found.oldest_due_seconds[tier]
        fact = f"{how_many:,} due on {tier}, the oldest for {duration(waited)}"
        if not found.workers.get((tier, Life.WORKING), 0):
            fix = f"darkroom worker start --tiers {tier}"
            yield Finding("work", Grade.FAIL, f"{fact}, and no worker serves it", fix)
        elif rests.EVERY_TIER in resting:
            yield Finding("work", Grade.OK, f"{fact}; everything is paused")
        elif tier in resting:
            yield Finding("work", Grade.OK, f"{fact}; the tier rests")
        elif waited > _OLD_SECONDS:
            fix = "More quota, or a cap that is met: darkroom tier ls, darkroom job ls."
            yield Finding("work", Grade.WARN, fact, fix)
        else:
            yield Finding("work", Grade.OK, fact)
    if not found.due:
        yield Finding("work", Grade.OK, "nothing is due")


def _rests(found: Fleet) -> Iterator[Finding]:
    for rest in found.rests:
        fix = rest.hint or (f"darkroom tier resume {rest.tier}" if rest.until is None else None)
        yield Finding("rests", Grade.WARN, wording.rest(rest), fix)
    if not found.rests:
        yield Finding("rests", Grade.OK, "none: everything may be sent")


def _risk(found: Fleet) -> Finding:
    at_risk, charged = found.at_risk_nusd, found.charged_nusd
    share = at_risk / (at_risk + charged) if at_risk else 0.0
    fact = f"{share:.1%} of all money is at risk: {short_dollars(at_risk)}"
    if share > _RISKY_SHARE:
        fix = "Answers get lost: darkroom cost, then the logs of the workers and the network."
        return Finding("risk", Grade.WARN, fact, fix)
    return Finding("risk", Grade.OK, fact)
