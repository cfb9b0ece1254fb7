"""The consumer against a server that speaks S3's and SQS's protocols and really delivers events."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from prometheus_client import REGISTRY

from core.domain import SetRef
from core.errors import (
    DatabaseUnavailable,
    DatabaseUnusable,
    InvalidManifest,
    PhotoChanged,
    SettingsInvalid,
    StoreRefused,
)
from core.events import changed_sets
from core.keys import KeyLayout
from core.settings import Settings
from workers import consumer as consumer_module
from workers.consumer import Consumer, make_sqs_client
from workers.health import Progress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[3]
BUCKET = "fleet-returns"


@pytest.fixture(scope="module", autouse=True)
def _no_real_aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", "65536")  # moto reserves 16 MB per object otherwise
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    _, port = moto.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    moto.stop()


@dataclass
class Queue:
    client: "SQSClient"
    url: str

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def send_upload(self, *keys: str) -> None:
        """One message that names all `keys`."""
        self.send(json.dumps({"Records": [record(key) for key in keys]}))

    def resources(self) -> int:
        """Messages in the queue, hidden ones too."""
        held = self.client.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return int(held["ApproximateNumberOfMessages"]) + int(held["ApproximateNumberOfMessagesNotVisible"])


@dataclass
class Ingest:
    """Stands where the pipeline stands: notes what it was asked for, and fails as it is told to."""

    before: Callable[[SetRef], None] = lambda ref: None
    seen: list[str] = field(default_factory=list)

    def __call__(self, ref: SetRef) -> None:
        self.seen.append(ref.vehicle)
        self.before(ref)


def record(key: str) -> dict[str, Any]:
    s3 = {"configurationId": "x", "bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}}
    return {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}


def photo(vehicle: str, name: str = "front.jpg") -> str:
    return f"returns/berlin/{vehicle}/2026-11-23/{name}"


@pytest.fixture
def settings(server: str) -> Settings:
    return Settings(sqs_queue_url=f"{server}/123456789012/events", sqs_endpoint_url=server)


@pytest.fixture
def queue(settings: Settings) -> Iterator[Queue]:
    client = make_sqs_client(settings)
    url = client.create_queue(QueueName="events")["QueueUrl"]
    yield Queue(client, url)
    client.delete_queue(QueueUrl=url)


def make_consumer(queue: Queue, ingest: Callable[[SetRef], object], **options: Any) -> Consumer:
    return Consumer(
        client=queue.client,
        queue_url=queue.url,
        sets_of=lambda message: changed_sets(message, store=BUCKET, layout=KeyLayout()),
        ingest=ingest,
        progress=Progress(),
        **{"wait_seconds": 0} | options,
    )


def counted(outcome: str) -> float:
    labels = {"source": "sqs", "outcome": outcome}
    return REGISTRY.get_sample_value("walkaround_event_messages_total", labels) or 0.0


def fail_with(error: BaseException, *vehicles: str) -> Callable[[SetRef], None]:
    def fail(ref: SetRef) -> None:
        if not vehicles or ref.vehicle in vehicles:
            raise error

    return fail


def test_uploads_reach_the_pipeline_once_per_set(server: str, queue: Queue) -> None:
    s3 = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    arn = queue.client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )  # moto sends s3:TestEvent here, as S3 does
    for vehicle in ("B-MW 1+1", "B-MW 2"):
        for name in ("front.jpg", "rear 50%.jpg", "_COMPLETE"):
            s3.put_object(Bucket=BUCKET, Key=photo(vehicle, name), Body=b"x")
    s3.put_object(Bucket=BUCKET, Key="elsewhere.txt", Body=b"x")
    ingest = Ingest()

    assert make_consumer(queue, ingest).poll()

    assert ingest.seen == ["B-MW 1+1", "B-MW 2"]
    assert queue.resources() == 0


def test_a_message_is_deleted_only_after_the_commit(queue: Queue) -> None:
    queue.send_upload(photo("v1"))
    held: list[int] = []

    assert make_consumer(queue, Ingest(lambda ref: held.append(queue.resources()))).poll()

    assert held == [1]
    assert queue.resources() == 0


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit()])
def test_a_consumer_that_dies_before_the_commit_deletes_nothing(queue: Queue, end: BaseException) -> None:
    queue.send_upload(photo("v1"))

    with pytest.raises(type(end)):
        make_consumer(queue, Ingest(fail_with(end))).poll()

    assert queue.resources() == 1


def test_messages_that_can_never_be_ours_are_counted_and_deleted(queue: Queue) -> None:
    queue.send("hello", json.dumps({"Records": [record("returns/../../etc/passwd")]}), "[" * 100_000)
    queue.send(json.dumps({"Event": "s3:TestEvent"}))
    queue.send_upload(photo("v1"))
    ingest, before = Ingest(), [counted(outcome) for outcome in ("rejected", "ignored", "ingested")]

    assert make_consumer(queue, ingest).poll()

    assert ingest.seen == ["v1"]
    assert queue.resources() == 0
    after = [counted(outcome) for outcome in ("rejected", "ignored", "ingested")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [3, 1, 1]


def test_a_bad_record_costs_itself_alone(queue: Queue) -> None:
    queue.send(json.dumps({"Records": [record("returns/../../etc/passwd"), record(photo("v1"))]}))
    ingest, before = Ingest(), [counted(outcome) for outcome in ("rejected", "ingested")]

    assert make_consumer(queue, ingest).poll()

    assert (ingest.seen, queue.resources()) == (["v1"], 0)
    after = [counted(outcome) for outcome in ("rejected", "ingested")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1]


def test_a_message_waits_for_all_its_sets(queue: Queue) -> None:
    queue.send_upload(photo("good"), photo("bad"))
    queue.send_upload(photo("good"))
    ingest = Ingest(fail_with(InvalidManifest("no"), "bad"))

    assert make_consumer(queue, ingest).poll()

    assert ingest.seen == ["good", "bad"]
    assert queue.resources() == 1


def test_transient_errors_give_messages_back_for_longer_each_time(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send_upload(photo("v1"))
    pauses: list[int] = []

    def at_once(params: dict[str, Any], **_: object) -> None:
        pauses.extend(int(entry["VisibilityTimeout"]) for entry in params["Entries"])
        params["Entries"] = [entry | {"VisibilityTimeout": 0} for entry in params["Entries"]]

    queue.client.meta.events.register("before-parameter-build.sqs.ChangeMessageVisibilityBatch", at_once)
    away = Ingest(fail_with(PhotoChanged("later")))
    consumer = make_consumer(queue, away)
    assert [consumer.poll() for _ in range(4)] == [False] * 4
    consumer.ingest = Ingest()
    assert consumer.poll()

    assert away.seen == ["v1"] * 4
    assert pauses == [10, 20, 40, 80]
    assert queue.resources() == 0


def test_sets_are_not_tried_while_the_database_is_away(queue: Queue) -> None:
    for vehicle in ("v1", "v2", "v3"):
        queue.send_upload(photo(vehicle))
    ingest = Ingest(fail_with(DatabaseUnavailable("no answer")))

    assert not make_consumer(queue, ingest).poll()

    assert len(ingest.seen) == 1
    assert queue.resources() == 3


@pytest.mark.parametrize("error", [StoreRefused("the credentials have expired"), DatabaseUnusable("the disk is full")])
def test_what_an_operator_must_mend_gives_the_message_back(queue: Queue, error: Exception) -> None:
    """Left to the redrive policy it would be given up while the operator is on the way."""
    queue.send_upload(photo("v1"))
    assert not make_consumer(queue, Ingest(fail_with(error))).poll()
    assert queue.resources() == 1


@pytest.mark.parametrize("error", [InvalidManifest("no"), RuntimeError("a bug")])
def test_what_keeps_failing_ends_in_the_dead_letter_queue(queue: Queue, error: Exception) -> None:
    dead = Queue(queue.client, queue.client.create_queue(QueueName="dead")["QueueUrl"])
    arn = queue.client.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
    queue.client.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": policy})
    queue.send_upload(photo("bad"))
    ingest = Ingest(fail_with(error))
    consumer = make_consumer(queue, ingest, visibility_seconds=0)

    for _ in range(5):
        consumer.poll()

    assert ingest.seen == ["bad"] * 3
    assert (queue.resources(), dead.resources()) == (0, 1)
    queue.client.delete_queue(QueueUrl=dead.url)


def test_a_deletion_that_fails_is_survived(queue: Queue) -> None:
    queue.send_upload(photo("v1"))

    def break_handles(params: dict[str, Any], **_: object) -> None:
        params["Entries"] = [entry | {"ReceiptHandle": "forged"} for entry in params["Entries"]]

    queue.client.meta.events.register("before-parameter-build.sqs.DeleteMessageBatch", break_handles)
    make_consumer(queue, Ingest()).poll()

    assert queue.resources() == 1


def test_a_queue_that_is_away_is_waited_for(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make_sqs_client(
        Settings(sqs_queue_url="http://127.0.0.1:9/1/events", sqs_endpoint_url="http://127.0.0.1:9")
    )
    consumer = make_consumer(Queue(client, "http://127.0.0.1:9/1/events"), Ingest())

    assert consumer.poll() is False


def test_stopping_ends_the_batch_in_hand_and_no_other(queue: Queue) -> None:
    for number in range(15):
        queue.send_upload(photo(f"v{number}"))
    stop = Event()
    ingest = Ingest(lambda ref: stop.set())

    make_consumer(queue, ingest).run(stop)

    assert len(ingest.seen) == consumer_module.BATCH_SIZE
    assert queue.resources() == 5


@pytest.mark.parametrize(("ends_well", "touches"), [(True, 1), (False, 0)])
def test_only_a_batch_that_went_well_is_progress(queue: Queue, ends_well: bool, touches: int) -> None:
    queue.send_upload(photo("v1"))
    stop, touched = Event(), []
    consumer = make_consumer(queue, Ingest(lambda ref: finish()))

    class Counting(Progress):
        def touch(self) -> None:
            touched.append(1)

    def finish() -> None:
        stop.set()
        if not ends_well:
            raise PhotoChanged("later")

    consumer.progress = Counting()
    consumer.run(stop)

    assert len(touched) == touches


def test_a_missing_queue_names_its_variable() -> None:
    with pytest.raises(SettingsInvalid, match="WALKAROUND_SQS_QUEUE_URL"):
        make_sqs_client(Settings())


def test_the_region_comes_from_the_queue() -> None:
    url = "https://sqs.eu-north-1.amazonaws.com/123456789012/events"
    assert make_sqs_client(Settings(sqs_queue_url=url)).meta.region_name == "eu-north-1"


def test_importing_the_consumer_imports_no_tensorflow() -> None:
    check = (
        "import sys, workers.consumer; sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'PIL')))"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT, timeout=60)
