"""Every documented payload gives the same event; nothing hostile gives any."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidEvent
from core.events import MAX_MESSAGE_BYTES, ChangedSets, ObjectEvent, changed_sets, parse_events
from core.keys import KeyLayout, validate_key

PAYLOADS = Path(__file__).parents[2] / "events"
UPLOAD_KEY = "returns/berlin/B-XY 12+3/2026-11-23/front.jpg"
SERVERS = ["aws", "aws-sns", "aws-eventbridge", "minio", "rustfs", "ceph", "versitygw"]


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def s3_message(key: Any = "a/b.jpg", *, name: Any = "ObjectCreated:Put", **item: Any) -> dict[str, Any]:
    s3 = {"configurationId": "x", "bucket": {"name": "fleet"}, "object": {"key": key, **item}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": name, "s3": s3}]}


def parse(document: Any) -> tuple[ObjectEvent, ...]:
    return parse_events(json.dumps(document)).events


def sets(document: Any) -> ChangedSets:
    return changed_sets(json.dumps(document), store="fleet", layout=KeyLayout())


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_reports_the_same_upload(server: str) -> None:
    (event,) = parse_events((PAYLOADS / f"{server}.json").read_bytes()).events

    assert event.bucket == "fleet-returns"
    assert event.key == UPLOAD_KEY
    assert event.name in ("ObjectCreated:Put", "Object Created")
    assert event.sequencer == "0055AED6DCD90281E5"
    assert event.size == 1024
    assert event.etag == "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize("name", ["aws-test", "versitygw-test"])
def test_test_events_have_no_effect(name: str) -> None:
    assert parse(payload(name)) == ()


@pytest.mark.parametrize(
    "name",
    [
        "ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectCreated:Copy",
        "s3:ObjectRemoved:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "LifecycleExpiration:Delete",
        "ObjectLifecycle:Expiration:Current",
        "ObjectSynced:Create",
        "ObjectRestore:Completed",
    ],
)
def test_coming_and_going_are_changes(name: str) -> None:
    (event,) = parse(s3_message(name=name))
    assert event.name == name.removeprefix("s3:")


@pytest.mark.parametrize("name", ["ObjectTagging:Put", "s3:ObjectAccessed:Get", "ObjectAcl:Put", "Replication:x", ""])
def test_other_events_are_no_changes(name: str) -> None:
    assert parse(s3_message(name=name)) == ()


def test_a_removal_without_size_or_etag() -> None:
    (event,) = parse(s3_message("a/b.jpg", name="ObjectRemoved:Delete", sequencer=""))
    assert (event.size, event.etag, event.sequencer) == (None, None, None)


def test_eventbridge_removals() -> None:
    document = payload("aws-eventbridge")
    document["detail-type"] = "Object Deleted"
    assert [event.name for event in parse(document)] == ["Object Deleted"]
    document["detail-type"] = "Object Tags Added"
    assert parse(document) == ()


def test_eventbridge_events_of_other_services_are_not_ours() -> None:
    with pytest.raises(InvalidEvent):
        parse(payload("aws-eventbridge") | {"source": "aws.ec2"})


def test_several_records_keep_their_order() -> None:
    first, second = s3_message("a/1.jpg"), s3_message("a/2.jpg")
    assert [event.key for event in parse({"Records": first["Records"] + second["Records"]})] == ["a/1.jpg", "a/2.jpg"]


@given(st.text(min_size=1, max_size=60))
def test_encoded_keys_come_back_exactly_or_are_refused(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        with pytest.raises(InvalidEvent):
            parse(s3_message(quote_plus(key, errors="surrogatepass")))
    else:
        assert [event.key for event in parse(s3_message(quote_plus(key)))] == [key]
        assert [event.key for event in parse(s3_message(quote_plus(key, safe="/")))] == [key]


def test_keys_are_decoded_once_only() -> None:
    (event,) = parse(s3_message("returns/%252e%252e/x%2525.jpg"))
    assert event.key == "returns/%2e%2e/x%25.jpg"


HOSTILE: dict[str, Any] = {
    "parent folder": s3_message("returns/../secrets/a.jpg"),
    "encoded parent folder": s3_message("returns/%2e%2e/%2e%2e/etc/passwd"),
    "absolute": s3_message("/etc/passwd"),
    "newline": s3_message("a/b%0Ac.jpg"),
    "raw control character": s3_message("a/\x1b[31m.jpg"),
    "nul": s3_message("a/b%00.jpg"),
    "not utf-8": s3_message("a/%ff%fe.jpg"),
    "lone surrogate": s3_message("a/\ud800.jpg"),
    "long key": s3_message("k" * 1025),
    "endless key": s3_message("k" * 100_000),
    "empty key": s3_message(""),
    "number as key": s3_message(7),
    "list as key": s3_message(["a"]),
    "null key": s3_message(None),
    "negative size": s3_message(size=-1),
    "size of an object": s3_message(size={"a": 1}),
    "name of a number": s3_message(name=1),
    "records of a string": {"Records": "abc"},
    "records of null": {"Records": None},
    "record of a string": {"Records": ["abc"]},
    "record without s3": {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
    "s3 of a list": {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": []}]},
    "message of another service": {"Records": [{"eventSource": "aws:sqs", "body": "hello"}]},
    "two bad records": {"Records": ["abc", *s3_message("../x")["Records"]]},
    "empty object": {},
    "list": [],
    "text": "ObjectCreated",
    "null": None,
    "sns of no event": {"Type": "Notification", "Message": "hello"},
    "sns in sns": {"Type": "Notification", "Message": json.dumps({"Type": "Notification", "Message": "{}"})},
    "sns subscription": {"Type": "SubscriptionConfirmation", "SubscribeURL": "http://169.254.169.254/"},
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_messages_are_refused_in_a_sentence(document: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        sets(document)
    sentence = str(caught.value)
    assert 10 < len(sentence) < 4000
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"\xff\xfe",
        "\ud800",
        b"[" * 200_000,
        b'{"a":' * 40_000,
        b"9" * 100_000,
        b'{"Records": [' + b" " * MAX_MESSAGE_BYTES + b"]}",
    ],
    ids=["empty", "cut short", "not utf-8", "surrogate", "deep list", "deep object", "long number", "oversized"],
)
def test_what_is_not_even_json_is_refused(message: str | bytes) -> None:
    with pytest.raises(InvalidEvent):
        parse_events(message)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(SERVERS), st.lists(st.sampled_from(range(12)), max_size=6), _JSON)
def test_no_mangled_payload_does_more_than_be_refused(server: str, path: list[int], replacement: Any) -> None:
    document = payload(server)
    node: Any = document
    for step, choice in enumerate(path):
        children = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not children:
            break
        name = children[choice % len(children)]
        if step == len(path) - 1:
            node[name] = replacement
        node = node[name]
    try:
        changed = sets(document)
    except InvalidEvent:
        return
    for ref in changed.refs:
        validate_key(ref.set_key)


@pytest.mark.parametrize(
    "bad",
    [
        "abc",
        {"eventSource": "aws:s3"},
        *s3_message("a/%ff.jpg")["Records"],
        *s3_message("returns/../x.jpg")["Records"],
        *s3_message(size=-1)["Records"],
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_record_costs_itself_alone(bad: Any, place: int) -> None:
    records = [s3_message(f"returns/f/{vehicle}/r/1.jpg")["Records"][0] for vehicle in ("v1", "v2")]
    records.insert(place, bad)
    changed = sets({"Records": records})
    assert [ref.vehicle for ref in changed.refs] == ["v1", "v2"]
    (sentence,) = changed.refused
    assert sentence.isprintable()


@pytest.mark.parametrize("name", ["/a.jpg", "a%00b.jpg", "a%0Ab.jpg", "x" * 1100])
def test_an_object_whose_key_is_not_accepted_names_its_set(name: str) -> None:
    """The listing shows it, and so it is quarantined at once and not after the next nightly scan."""
    changed = sets(s3_message(f"returns/f/v/r/{name}"))
    assert ([ref.set_key for ref in changed.refs], changed.refused) == (["returns/f/v/r/"], ())


def test_records_of_other_stores_are_not_ours_to_refuse() -> None:
    other = s3_message("returns/f/v/r/1.jpg")["Records"][0]
    other["s3"]["bucket"]["name"] = "other"
    changed = sets({"Records": ["abc", other]})
    assert (changed.refs, len(changed.refused)) == ((), 1)


def test_eventbridge_restores() -> None:
    document = payload("aws-eventbridge") | {"detail-type": "Object Restore Completed"}
    assert [event.key for event in parse(document)] == [UPLOAD_KEY]


def test_changed_sets_names_each_set_once() -> None:
    keys = [
        "returns/f/v1/r1/a.jpg",
        "returns/f/v2/r1/a.jpg",
        "returns/f/v1/r1/b.jpg",
        "elsewhere/a.jpg",
        "returns/f/x.jpg",
    ]
    document = {"Records": [s3_message(key)["Records"][0] for key in keys]}
    other = s3_message("returns/f/v3/r1/a.jpg")["Records"][0]
    other["s3"]["bucket"]["name"] = "other"
    document["Records"].append(other)

    refs = sets(document).refs

    assert [ref.set_key for ref in refs] == ["returns/f/v1/r1/", "returns/f/v2/r1/"]
    assert (refs[0].fleet, refs[0].vehicle, refs[0].return_ref) == ("f", "v1", "r1")


@pytest.mark.parametrize(
    ("key", "set_key"),
    [
        ("2026/cars/returns/f/v1/r1/a.jpg", "returns/f/v1/r1/"),
        ("2026/carsreturns/f/v1/r1/a.jpg", None),
        ("returns/f/v1/r1/a.jpg", None),
    ],
)
def test_a_store_may_be_one_prefix_of_a_bucket(key: str, set_key: str | None) -> None:
    refs = changed_sets(json.dumps(s3_message(key)), store="fleet/2026/cars", layout=KeyLayout()).refs
    assert [ref.set_key for ref in refs] == ([set_key] if set_key else [])
