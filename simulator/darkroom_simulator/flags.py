"""The command line."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import msgspec

from darkroom_simulator.scenario import Scenario

NO_SCENARIO = Scenario()
_WHAT = "Stand in for Google on loopback, for free: AI Studio, Vertex and object storage."


@dataclass(frozen=True, slots=True)
class Flags:
    """How the simulator is to run. `latency` is the shortest and longest wait in seconds.

    So are `batch_queue` and `batch_run`, in batch time: `batch_speed` of its seconds are one.
    `per_call` is in nano-dollars; 0: the proxy bills tokens.
    """

    host: str = "127.0.0.1"
    port: int = 0
    ready_file: Path | None = None
    parent_pid: int | None = None
    scenario: Scenario = NO_SCENARIO
    ledger: Path | None = None
    latency: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
    quota_rpm: int = 0
    api_keys: frozenset[str] = frozenset()
    pictures: Literal["drawn", "cached"] = "drawn"
    body_bytes: int = 1_500_000
    format: Literal["jpeg", "png"] | None = None
    gzip: bool = False
    strict_retirement: bool = False
    per_call: int = 0
    buckets: Path | None = None
    batch_queue: tuple[float, float] = (0.0, 0.0)
    batch_run: tuple[float, float] = (0.0, 1.0)
    batch_speed: float = 1.0

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> Self:
        """Read the command line; leave with a sentence on a bad one."""
        reader = parser()
        given = vars(reader.parse_args(arguments))
        host, is_public = given["host"], given.pop("public")
        if not (is_public or ipaddress.ip_address(host).is_loopback):
            reader.error(f"{host} is no loopback address; --public allows it")
        return cls(**{**given, "api_keys": frozenset(given["api_keys"])})


def parser() -> argparse.ArgumentParser:
    """Describe every flag."""
    parser = argparse.ArgumentParser(prog="darkroom simulator", description=_WHAT)
    add = parser.add_argument
    add("--host", type=address, default="127.0.0.1", help="an address of this machine")
    add("--public", action="store_true", help="allow a host beyond loopback, as containers need")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--ready-file", type=Path, help="written with url and pid once listening")
    add("--parent-pid", type=int, help="stop when this process is gone")
    add("--scenario", type=scenario, default=NO_SCENARIO, help="TOML rules for faults")
    add("--ledger", type=Path, help="append every request here, as JSONL")
    add("--latency", type=span, default=(0.0, 0.0), help="seconds, as 1.5 or 0.5-2.0")
    add("--seed", type=int, default=0, help="fixes the latencies drawn")
    add("--quota-rpm", type=int, default=0, help="requests per sliding minute and platform")
    add("--api-key", action="append", default=[], dest="api_keys", help="take only these keys")
    add("--pictures", choices=("drawn", "cached"), default="drawn", help="cached: one a size")
    add("--body-bytes", type=int, default=1_500_000, help="least size of a cached picture")
    add("--format", choices=("jpeg", "png"), help="answer in this format, whatever is asked")
    add("--gzip", action="store_true", help="compress for clients that accept it")
    add("--strict-retirement", action="store_true", help="404 for models Google switched off")
    add("--per-call", type=dollars, default=0, help="what the proxy bills for each answer")
    add("--buckets", type=Path, help="serve object storage: each folder in here is a bucket")
    add("--batch-queue", type=span, default=(0.0, 0.0), help="seconds a batch waits, as 1 or 0-2")
    add("--batch-run", type=span, default=(0.0, 1.0), help="seconds a batch runs, as 1 or 0-2")
    add("--batch-speed", type=speed, default=1.0, help="batch time runs so many times faster")
    return parser


def address(text: str) -> str:
    """Read an IP address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no IP address") from error


def scenario(text: str) -> Scenario:
    """Read a scenario file."""
    try:
        return Scenario.load(Path(text))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def speed(text: str) -> float:
    """Read how many times faster."""
    factor = float(text)
    if not 0 < factor < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no speed")
    return factor


def dollars(text: str) -> int:
    """Read an amount; in nano-dollars."""
    return round(float(text) * 1_000_000_000)


def span(text: str) -> tuple[float, float]:
    """Read `1.5` or `0.5-2.0`."""
    low, _, high = text.partition("-")
    shortest, longest = float(low), float(high or low)
    if not 0 <= shortest <= longest < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no span of seconds")
    return shortest, longest
