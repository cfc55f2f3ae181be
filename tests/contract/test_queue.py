"""The bell over TLS, and under an account with few rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kombu.exceptions import OperationalError
from tests.fleet.fleet import free_port
from tests.fleet.terminator import terminated
from tests.fleet.valkey import ACCOUNT, Valkey

from darkroom.broker import Broker
from darkroom.queue import open_queue, queue_of, ring
from darkroom_manifests.tier import Tier


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path, port=free_port(), password="secret")
    server.start()
    yield server
    server.stop()


def rung(url: str) -> None:
    queue = open_queue(url)
    try:
        ring(queue, [Tier.SIMULATOR])
    finally:
        queue.close()


def test_a_server_whose_certificate_nobody_signed_is_told_nothing(
    valkey: Valkey, tmp_path: Path
) -> None:
    with terminated(valkey.port, tmp_path) as (port, certificate):
        url = f"rediss://darkroom:secret@127.0.0.1:{port}"

        with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            rung(f"{url}/0")
        trusted = f"{url}/1?ssl_cert_reqs=required&ssl_ca_certs={certificate}"  # pooled by place
        for _ in range(2):
            rung(trusted)

        with redis.Redis.from_url(f"{valkey.url}/1") as client:
            assert client.llen(f"darkroom:{queue_of(Tier.SIMULATOR)}") == 1


def test_bells_that_nobody_hears_do_not_pile_up(valkey: Valkey) -> None:
    with open_queue(valkey.url) as queue:
        for _ in range(1_000):
            ring(queue, [Tier.VERTEX, Tier.SIMULATOR])

    assert (waiting(valkey, Tier.VERTEX), waiting(valkey, Tier.SIMULATOR)) == (1, 1)


def test_a_bell_that_was_heard_is_rung_again_on_a_socket_too(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    try:
        url = broker.start()
        with open_queue(url) as queue, redis.Redis.from_url(url) as client:
            ring(queue, [Tier.VERTEX])
            client.delete(f"darkroom:{queue_of(Tier.VERTEX)}")
            for _ in range(2):
                ring(queue, [Tier.VERTEX])

            assert client.llen(f"darkroom:{queue_of(Tier.VERTEX)}") == 1
    finally:
        broker.stop()


def waiting(valkey: Valkey, tier: Tier) -> int:
    with redis.Redis.from_url(valkey.url) as client:
        return int(client.llen(f"darkroom:{queue_of(tier)}"))


def test_the_account_of_the_how_to_can_do_our_work_and_no_harm(valkey: Valkey) -> None:
    rung(valkey.url)

    with redis.Redis.from_url(valkey.url) as client:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get("somebody-elses")
    how_to = Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md"
    assert ACCOUNT in how_to.read_text(encoding="utf-8")
