"""Scenarios 11, 12, 13 and 19: events that are lost or lie, photos that change or are hostile, forged messages."""

import json
import pickle
from base64 import b64encode

import pytest

from tests.faults.fleet import make_photo, make_returns
from tests.faults.hostile import corpus
from tests.faults.seeds import seeds
from tests.faults.system import System

SETS = 15


@pytest.mark.scenario("11 20 % of events dropped, 20 % doubled, all shuffled")
@seeds(quick=True)
def test_events_are_lost_and_doubled(run: System, seed: int) -> None:
    sqs = run.servers.s3.sqs()
    delivered = sqs.create_queue(QueueName=f"{run.bucket}-delivered")["QueueUrl"]
    run.configure(sqs_queue_url=delivered)
    run.start_all()
    run.upload(make_returns(run.rng, 20))
    bodies = []
    while batch := sqs.receive_message(QueueUrl=run.queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=run.queue_url, ReceiptHandle=message["ReceiptHandle"])
    kept = [body for body in bodies if run.rng.random() >= 0.2]
    doubled = [body for body in kept if run.rng.random() < 0.2]
    run.figures.events.update(dropped=len(bodies) - len(kept), doubled=len(doubled))
    run.figures.events["delivered"] = len(kept) + len(doubled)
    for body in run.rng.sample(kept + doubled, len(kept) + len(doubled)):
        sqs.send_message(QueueUrl=delivered, MessageBody=body)
    run.fault("event dropped", len(bodies) - len(kept))
    run.fault("event doubled", len(doubled))
    run.wait_until(lambda: run.queue_is_empty(delivered))
    run.forget_scans()
    run.send("walkaround.nightly_scan", "intake")
    run.finish_well()


@pytest.mark.scenario("12 a photo late or overwritten while its set is scored")
@seeds()
def test_photos_change(run: System, seed: int) -> None:
    run.behave(pace=0.3)
    run.start_all()
    returns = make_returns(run.rng, SETS, manifests=0.0)
    run.upload(returns)
    for item in run.rng.sample(returns, 8):
        if run.rng.random() < 0.5:
            run.wait_until(lambda: run.leased() > 0 or run.verdicts() >= SETS)
        is_late = run.rng.random() < 0.5
        name = "late.jpg" if is_late else run.rng.choice(sorted(item.photos))
        run.ledger.changes[item.set_key] = 1
        run.put(item.set_key + name, make_photo(run.rng))
        run.fault("photo late" if is_late else "photo overwritten")
    run.finish_well()


@pytest.mark.scenario("13 a corpus of 40 hostile files")
@seeds()
def test_hostile_files(run: System, seed: int) -> None:
    run.configure(decode_timeout=10)
    run.start_all()
    worker = run.processes["worker"]
    returns = make_returns(run.rng, SETS, photos=1)
    for number, file in enumerate(run.rng.sample(corpus(), len(corpus()))):
        item = returns[number % SETS]
        item.photos[file.name] = file.data
        if file.reason is not None:
            run.ledger.refused[item.set_key + file.name] = (file.status, file.reason)
        run.fault("hostile file")
    run.upload(returns)
    run.finish_well()
    assert worker.is_alive


@pytest.mark.scenario("19 forged, oversized, unknown messages")
@seeds()
def test_forged_messages(run: System, seed: int) -> None:
    run.start_all()
    sqs = run.servers.s3.sqs()
    returns = make_returns(run.rng, SETS)
    forged: list[tuple[object, ...]] = [
        (10**6, 1, 1),
        (1, 10**6, 1),
        (1, 1, 10**6),
        (-1, 1, 1),
        (0, 0, 0),
        (2**63, 1, 1),
        ("1; DROP TABLE verdict", 1, 1),
        (1.5, 1, 1),
        (True, 1, 1),
        (None, None, None),
        ({"set_id": 1}, [1], "1"),
        (1,),
        (1, 1, 1, 1),
        ("x" * 3_000_000, 1, 1),
    ]
    events = ["", "not json", "[]", "{}", '{"Records": "none"}', '{"Records": [{"s3": {}}]}', "\x00", "[" * 50_000]
    events += [json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "../../etc"}}}]})]

    def forge(number: int) -> None:
        run.send("walkaround.classify", "classify", *forged[number % len(forged)])
        run.send(run.rng.choice(("walkaround.unknown", "os.system")), "intake", "true")
        if event := events[number % len(events)]:
            sqs.send_message(QueueUrl=run.queue_url, MessageBody=event)
        _push_raw(run, number)
        run.fault("forged message", 4)

    with run.supervised():
        run.upload(returns, forge)
        run.finish_well()
    assert not (run.folder / "loot").exists(), "a pickle was read"
    rejected = sum(line.get("event") == "event_rejected" for line in run.log_lines())
    assert rejected >= len(events) - 1
    run.figures.counts["messages rejected"] += rejected
    assert len(run.tables()["work"]) == SETS


class _Loot:
    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        from pathlib import Path

        return Path.touch, (Path(self._path),)


def _push_raw(run: System, number: int) -> None:
    """Something that no Celery client would write into the broker's list."""
    pickled = b64encode(pickle.dumps(_Loot(str(run.folder / "loot")))).decode()
    properties = {
        "delivery_tag": f"forged-{number}",
        "delivery_info": {"exchange": "", "routing_key": "classify"},
        "body_encoding": "base64",
    }
    headers = {"task": "walkaround.classify", "id": f"forged-{number}", "lang": "py"}
    message = {
        "body": pickled,
        "content-type": "application/x-python-serialize",
        "content-encoding": "binary",
        "headers": headers,
        "properties": properties,
    }
    raw = [json.dumps(message), "not json at all", json.dumps({"body": 1}), b"\xff\xfe\x00"]
    run.broker.client().lpush("walkaround:classify", raw[number % len(raw)])
