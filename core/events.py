"""S3 event notifications, however they come: which object changed, and so which set must be looked at again. Pure.

An event is a hint, never a fact: it may be lost, doubled, late or forged. Only the names of the sets that it points to
are used, and those sets are then listed.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.domain import SetRef
from core.errors import InvalidEvent
from core.keys import KeyLayout, is_accepted

MAX_MESSAGE_BYTES = 256 * 1024  # a real notification is about 1 KiB a record; SQS carried no more than this for years
_BUCKET_NAME_MAX = 255  # S3 allows 63, Ceph 255

# The first part of the names that say an object came, went or was restored: S3's, Ceph's own, then EventBridge's.
_CHANGES = frozenset(
    {
        "ObjectCreated",
        "ObjectRemoved",
        "LifecycleExpiration",
        "ObjectLifecycle",
        "ObjectSynced",
        "ObjectRestore",
        "Object Created",
        "Object Deleted",
        "Object Restore Completed",
    }
)
# Object keys are form-encoded in notifications, except by these: Ceph (by its `eventSource`), versitygw (which calls
# itself aws:s3, but whose `configurationId` is always this) and EventBridge.
_RAW_KEY_SOURCES = frozenset({"ceph:s3"})
_RAW_KEY_CONFIGURATIONS = frozenset({"webhook-global", "kafka-global", "nats-global"})


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """One object that came, went or was restored; `key` is decoded, not validated. What a sender leaves out is None."""

    bucket: str
    key: str
    name: str
    sequencer: str | None = None
    size: int | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """What one message says: its events in order, and for each record that is not accepted a sentence why."""

    events: tuple[ObjectEvent, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedSets:
    """The sets that one message touches, each once, and for each record that is not accepted a sentence why."""

    refs: tuple[SetRef, ...] = ()
    refused: tuple[str, ...] = ()


class _Object(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    key: str = Field(min_length=1, max_length=3 * 1024)  # 1,024 bytes, each percent-encoded
    size: int | None = Field(default=None, ge=0)  # Ceph's documentation shows it as text
    etag: str | None = Field(default=None, max_length=1024, validation_alias=AliasChoices("eTag", "etag"))
    sequencer: str | None = Field(default=None, max_length=1024)


class _S3Record(BaseModel):
    """One of `Records`: S3's own layout, which the others follow."""

    name: str = Field(alias="eventName", max_length=200)
    source: str = Field(alias="eventSource", max_length=200)
    bucket: str = Field(validation_alias=AliasPath("s3", "bucket", "name"), min_length=1, max_length=_BUCKET_NAME_MAX)
    item: _Object = Field(validation_alias=AliasPath("s3", "object"))
    configuration: str = Field(default="", validation_alias=AliasPath("s3", "configurationId"), max_length=1024)

    def event(self) -> ObjectEvent:
        raw = self.source in _RAW_KEY_SOURCES or self.configuration in _RAW_KEY_CONFIGURATIONS
        return _event(self.name.removeprefix("s3:"), self.bucket, self.item, raw=raw)


class _BridgeEvent(BaseModel):
    """What EventBridge sends: one object an event, its key as it is."""

    name: str = Field(alias="detail-type", max_length=200)
    source: Literal["aws.s3"]
    bucket: str = Field(
        validation_alias=AliasPath("detail", "bucket", "name"), min_length=1, max_length=_BUCKET_NAME_MAX
    )
    item: _Object = Field(validation_alias=AliasPath("detail", "object"))

    def event(self) -> ObjectEvent:
        return _event(self.name, self.bucket, self.item, raw=True)


_RECORDS = TypeAdapter(list[Any])


def _event(name: str, bucket: str, item: _Object, *, raw: bool) -> ObjectEvent:
    try:
        key = item.key if raw else unquote_plus(item.key, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"the object key {item.key!a} of an event is not UTF-8; rename the object") from error
    return ObjectEvent(bucket, key, name, item.sequencer or None, item.size, item.etag or None)


def parse_events(message: str | bytes) -> Notification:
    """The objects that a notification says came, went or were restored; none for test events and other events.

    It reads S3's notifications, bare or wrapped by SNS, EventBridge's, and those that RustFS, MinIO, Ceph and versitygw
    post. Keys are decoded once where their sender encodes them. A record that is not well formed costs itself alone.
    Raises `InvalidEvent` for a message of another kind, and for one of which no record is accepted.
    """
    document = _object(message)
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        document = _object(document["Message"])
    if document.get("Event") == "s3:TestEvent":
        return Notification()
    kind: type[_S3Record | _BridgeEvent]
    if "Records" in document:
        kind, records = _S3Record, _records(document["Records"])
    elif "detail-type" in document:
        kind, records = _BridgeEvent, [document]
    else:
        raise InvalidEvent("the message is not an S3 event notification; send only those here")
    events: list[ObjectEvent] = []
    refused: list[str] = []
    for record in records:
        try:
            events.append(kind.model_validate(record).event())
        except ValidationError as error:
            refused.append(_sentence(error))
        except InvalidEvent as error:
            refused.append(str(error))
    if refused and not events:
        raise InvalidEvent(refused[0])
    changes = tuple(event for event in events if event.name.partition(":")[0] in _CHANGES)
    return Notification(changes, tuple(refused))


def _records(value: Any) -> list[Any]:
    try:
        return _RECORDS.validate_python(value)
    except ValidationError as error:
        raise InvalidEvent(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "its records"
    return f"the S3 event notification is malformed at {where}: {first['msg']}"


def _object(message: str | bytes) -> dict[str, Any]:
    size = len(message.encode(errors="surrogatepass") if isinstance(message, str) else message)
    if size > MAX_MESSAGE_BYTES:
        raise InvalidEvent(f"a message of {size:,} bytes; S3 event notifications have at most {MAX_MESSAGE_BYTES:,}")
    try:
        document = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("the message is not JSON; send only S3 event notifications here") from error
    if not isinstance(document, dict):
        raise InvalidEvent("the message is not a JSON object; send only S3 event notifications here")
    return document


def changed_sets(message: str | bytes, *, store: str, layout: KeyLayout) -> ChangedSets:
    """The sets that a notification touches, each once, in the order of first mention.

    `store` is a photo store's name, `bucket` or `bucket/prefix`. Events of objects that lie elsewhere, or in no set,
    touch none. An object whose own key is not accepted still names the set that it lies in: the listing shows it.
    Raises `InvalidEvent` for a message that cannot be read, and for one of which no record is accepted.
    """
    bucket, slash, prefix = store.partition("/")
    root = prefix + slash  # keys in a store are relative to its prefix
    notification = parse_events(message)
    ours = [event for event in notification.events if event.bucket == bucket and event.key.startswith(root)]
    refs: dict[SetRef, None] = {}
    refused = list(notification.refused)
    for event in ours:
        key = event.key.removeprefix(root)
        ref = layout.parse(key)
        named = key if ref is None else ref.set_key
        if named and not is_accepted(named):
            refused.append(f"an event names an object that lies in no return: {key!a}; rename the object")
        elif ref is not None:
            refs[ref] = None
    if refused and len(refused) == len(notification.refused) + len(notification.events):
        raise InvalidEvent(refused[0])
    return ChangedSets(tuple(refs), tuple(refused))
