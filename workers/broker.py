"""The broker's address as Celery, RedBeat and redis-py want it: one server, one way to verify it, for all three."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from redis import Redis

from core.addresses import BrokerAddress
from core.settings import Settings

REMOTE_CONTROL = "celery.pidbox"  # the exchange that workers are asked through
ANSWER_S = 10  # an answer that does not come is not waited for


def celery_settings(address: BrokerAddress) -> dict[str, Any]:
    """Celery's and RedBeat's settings of the address, with one way to verify it: left alone, kombu verifies nothing."""
    return {
        "broker_url": _kombu_url(address),
        "broker_use_ssl": dict(address.tls) or None,
        "redbeat_redis_url": _redis_url(address),
        "redbeat_redis_use_ssl": dict(address.tls) or None,
    }


def connect(settings: Settings) -> Redis:
    """A client of the broker that gives up soon, for whoever only asks. Connects when it is first used."""
    address = settings.broker
    return Redis.from_url(_redis_url(address), socket_timeout=ANSWER_S, decode_responses=True, **address.tls)


def try_out(settings: Settings) -> None:
    """Do what a worker does: write a key, which expires, and subscribe to the workers' channel by a pattern.

    Raises redis-py's errors.
    """
    prefix, number = settings.broker_key_prefix, settings.broker.database
    key = f"{prefix}doctor:{uuid4().hex}"
    with connect(settings) as client, client.pubsub() as channel:
        client.set(key, "", ex=10)
        client.delete(key)
        channel.psubscribe(f"{prefix}/{number}.{REMOTE_CONTROL}")
        channel.get_message(timeout=ANSWER_S)


def _kombu_url(address: BrokerAddress) -> str:
    if address.scheme == "redis+socket":
        return f"redis+socket://{address.credentials}{quote(address.place)}?virtual_host={address.database}"
    return f"{address.scheme}://{address.credentials}{address.place}/{address.database}"


def _redis_url(address: BrokerAddress) -> str:
    if address.scheme == "redis+socket":
        return f"unix://{address.credentials}{quote(address.place)}?db={address.database}"
    return f"{address.scheme}://{address.credentials}{address.place}/{address.database}"
