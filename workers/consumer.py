"""S3 events from SQS -> `pipeline.ingest`. A message is deleted only after the commit of every set it names."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.domain import SetRef
from core.errors import (
    DatabaseUnavailable,
    InvalidEvent,
    NeedsOperator,
    SettingsInvalid,
    StoreUnavailable,
    Transient,
    WalkaroundError,
)
from core.events import ChangedSets, changed_sets
from core.settings import Settings
from workers import metrics
from workers.health import Progress
from workers.outages import report_outage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from workers.context import Context

log = structlog.get_logger(__name__)

WAIT_SECONDS = 20  # SQS's longest poll: fewest calls, and an event is delivered at once all the same
BATCH_SIZE = 10  # SQS's largest batch
# How long a received message is hidden. A batch is at most ten listings and ten commits, seconds in all; this leaves
# room for the store's own retries. Too short would only do the work twice, too long would delay what a dead consumer
# held: by five minutes at most.
VISIBILITY_SECONDS = 300
LONGEST_PAUSE = 60.0  # seconds between polls while the queue, the store or the database is away
LONGEST_REDELIVERY_PAUSE = 900  # seconds before one message is tried again


class Outcome(IntEnum):
    """What became of a message; where its sets differ, the greatest."""

    IGNORED = 0
    REJECTED = 1
    INGESTED = 2
    POSTPONED = 3
    FAILED = 4


_DONE = frozenset({Outcome.IGNORED, Outcome.REJECTED, Outcome.INGESTED})


def make_sqs_client(settings: Settings) -> "SQSClient":
    """A client for the queue's region and endpoint. Raises `SettingsInvalid` where there is no queue to read."""
    if not settings.sqs_queue_url:
        raise SettingsInvalid("WALKAROUND_SQS_QUEUE_URL is missing; it names the queue that S3 events arrive in")
    region = re.match(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.", settings.sqs_queue_url)
    secret = settings.s3_secret_access_key
    client: SQSClient = boto3.client(
        "sqs",
        region_name=region[1] if region else settings.s3_region or "us-east-1",
        endpoint_url=settings.sqs_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=5,
            read_timeout=WAIT_SECONDS + 10,  # a long poll answers late on purpose
            retries={"mode": "standard", "max_attempts": 3},
        ),
    )
    return client


def queue_depth(settings: Settings) -> int:
    """How many messages wait in the queue, about. Raises `StoreUnavailable` where it does not answer."""
    client = make_sqs_client(settings)
    try:
        answer = client.get_queue_attributes(
            QueueUrl=settings.sqs_queue_url or "", AttributeNames=["ApproximateNumberOfMessages"]
        )
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(
            f"the queue {settings.sqs_queue_url} does not answer: {error}; check its URL and the credentials"
        ) from error
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def make_consumer(settings: Settings, context: "Context", progress: Progress) -> "Consumer":
    """The consumer of the settings' queue for the context's store. Raises `SettingsInvalid`."""
    from workers import pipeline

    return Consumer(
        client=make_sqs_client(settings),
        queue_url=settings.sqs_queue_url or "",
        sets_of=partial(changed_sets, store=context.store.name, layout=context.layout),
        ingest=partial(pipeline.ingest, context),
        progress=progress,
    )


@dataclass(slots=True)
class Consumer:
    """Reads one queue for ever.

    `sets_of` says which sets a message names (raising `InvalidEvent` for what can never be ours); `ingest` looks at one
    of them and returns after its commit. A message is deleted when all its sets are committed, or when it is not ours.
    Messages that met an outage, or what an operator must mend, come back after a growing pause; any other error leaves
    them to the queue's redrive policy.
    """

    client: "SQSClient"
    queue_url: str
    sets_of: Callable[[str], ChangedSets]
    ingest: Callable[[SetRef], object]
    progress: Progress
    wait_seconds: int = WAIT_SECONDS
    visibility_seconds: int = VISIBILITY_SECONDS
    _failures: int = 0

    def run(self, stop: Event) -> None:
        """Until `stop` is set, which ends the batch in hand and no other."""
        log.info("consumer_started", queue=self.queue_url)
        while not stop.is_set():
            if self.poll():
                self._failures = 0
                self.progress.touch()
            else:
                self._failures += 1
                stop.wait(self._pause())
        log.info("consumer_stopped", queue=self.queue_url)

    def poll(self) -> bool:
        """Receive and handle one batch. False where something must be waited for."""
        try:
            messages = self.client.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=BATCH_SIZE,
                WaitTimeSeconds=self.wait_seconds,
                VisibilityTimeout=self.visibility_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ).get("Messages", [])
        except (BotoCoreError, ClientError) as error:
            log.warning("queue_not_read", queue=self.queue_url, problem=str(error))
            return False
        return self._handle(messages)

    def _handle(self, messages: "Sequence[MessageTypeDef]") -> bool:
        outcomes = dict.fromkeys(range(len(messages)), Outcome.INGESTED)
        named: dict[SetRef, list[int]] = defaultdict(list)
        for number, message in enumerate(messages):
            try:
                changed = self.sets_of(message.get("Body", ""))
            except InvalidEvent as error:
                log.warning("event_rejected", message_id=message.get("MessageId"), problem=str(error))
                outcomes[number] = Outcome.REJECTED
                continue
            for problem in changed.refused:  # a record that is refused costs itself alone
                log.warning("event_record_rejected", message_id=message.get("MessageId"), problem=problem)
                _count(Outcome.REJECTED)
            if not changed.refs:
                outcomes[number] = Outcome.IGNORED
            for ref in changed.refs:
                named[ref].append(number)
        for ref, outcome in self._ingest_all(list(named)):
            for number in named[ref]:
                outcomes[number] = max(outcomes[number], outcome)
        for outcome in outcomes.values():
            _count(outcome)
        return self._settle(messages, outcomes)

    def _ingest_all(self, refs: Sequence[SetRef]) -> Iterator[tuple[SetRef, Outcome]]:
        away = False
        for ref in refs:
            with structlog.contextvars.bound_contextvars(set_key=ref.set_key):
                try:
                    if away:
                        raise Transient("what another set of this batch needed is away")
                    self.ingest(ref)
                    yield ref, Outcome.INGESTED
                except (Transient, NeedsOperator) as error:
                    # The others would only wait for the same time-outs.
                    away = away or isinstance(error, StoreUnavailable | DatabaseUnavailable)
                    report_outage("set_postponed", error)
                    yield ref, Outcome.POSTPONED
                except WalkaroundError as error:
                    log.warning("set_not_ingested", problem=str(error))
                    yield ref, Outcome.FAILED
                except Exception:  # one bad set must not stop the others
                    log.exception("set_not_ingested")
                    yield ref, Outcome.FAILED

    def _settle(self, messages: "Sequence[MessageTypeDef]", outcomes: dict[int, Outcome]) -> bool:
        """Delete what is done, give back what must wait, leave what failed to the redrive policy."""
        done = [messages[number] for number, outcome in outcomes.items() if outcome in _DONE]
        waiting = [messages[number] for number, outcome in outcomes.items() if outcome is Outcome.POSTPONED]
        try:
            if done:
                answer = self.client.delete_message_batch(
                    QueueUrl=self.queue_url,
                    Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(done)],
                )
                for failure in answer.get("Failed", []):  # it comes again; looking at a set twice changes nothing
                    log.warning("event_not_deleted", message_id=done[int(failure["Id"])].get("MessageId"))
            if waiting:
                self.client.change_message_visibility_batch(
                    QueueUrl=self.queue_url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": _redelivery_pause(m)}
                        for n, m in enumerate(waiting)
                    ],
                )
        except (BotoCoreError, ClientError) as error:  # all of them come again after `visibility_seconds`
            log.warning("queue_not_written", queue=self.queue_url, problem=str(error))
            return False
        return not waiting

    def _pause(self) -> float:
        """Seconds: 1 at first, doubled by each failure in a row, never in step with other consumers."""
        return min(2.0 ** min(self._failures, 10), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311


def _count(outcome: Outcome) -> None:
    metrics.EVENT_MESSAGES.labels(source="sqs", outcome=outcome.name.lower()).inc()


def _redelivery_pause(message: "MessageTypeDef") -> int:
    """Seconds, doubled by each delivery: an outage of hours must not use up the deliveries of a redrive policy."""
    deliveries = int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1"))
    return int(min(5 * 2 ** min(deliveries, 10), LONGEST_REDELIVERY_PAUSE))
