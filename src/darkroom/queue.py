"""Celery's settings and the bell: tasks are named here and never imported.

A message says only "there is work in tier T". It carries no rights and no data, so a lost or a
doubled one costs nothing: SQL is the queue of record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from celery import Celery
from kombu import Producer, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from darkroom_manifests.tier import Tier

DEVELOP: Final = "darkroom.develop"
_PREFIX: Final = "darkroom:"


def open_queue(broker_url: str) -> Celery:
    """Make the Celery application that sender and worker share.

    `unix://PATH` is written as Celery's `redis+socket://PATH`.
    """
    app = Celery("darkroom", broker=_for_kombu(broker_url))
    app.conf.update(
        task_queues=[Queue(queue_of(tier)) for tier in Tier],
        task_create_missing_queues=False,
        task_default_queue=queue_of(Tier.SIMULATOR),
        task_ignore_result=True,
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        # True ended workers for good when Redis restarted (Celery 5.7.0 with kombu 5.7.0).
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": _PREFIX,
        },
    )
    return app


def _for_kombu(url: str) -> str:
    """Kombu names sockets in its own way, and checks a certificate (5.7.0) only if told to."""
    if url.startswith("rediss://") and "ssl_cert_reqs" not in url:
        return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    return url.replace("unix://", "redis+socket://", 1)


def queue_of(tier: Tier) -> str:
    """Name the Celery queue of a tier."""
    return f"darkroom.{tier}"


def ring(app: Celery, tiers: Iterable[Tier]) -> None:
    """Say that there is work. Raises kombu's OperationalError when the broker is away.

    A bell that nobody has heard yet says it already: where no worker serves a tier, one waits.
    """
    try:
        with app.producer_or_acquire() as producer:
            for tier in tiers:
                if not _waiting(producer, tier):
                    name = queue_of(tier)
                    app.send_task(DEVELOP, [tier.value], producer=producer, queue=name, retry=False)
    except RedisError as error:
        raise OperationalError(str(error) or type(error).__name__) from error


def _waiting(producer: Producer, tier: Tier) -> int:
    """How many bells of a tier nobody has heard yet."""
    channel: Any = producer.channel  # typed for transports that count nothing
    return int(channel.queue_declare(queue_of(tier)).message_count)
