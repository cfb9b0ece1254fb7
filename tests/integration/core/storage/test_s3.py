"""One contract for all photo stores, and what only an S3 server can do wrong."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from core.domain import PhotoStore
from core.errors import (
    InvalidKey,
    PhotoChanged,
    PhotoMissing,
    PhotoRefused,
    Refusal,
    StoreRefused,
    StoreUnavailable,
)
from core.storage.address import open_store
from core.storage.options import S3Options
from core.testing.memory_store import MemoryPhotoStore
from tests.listing_order import folder_by_folder, serving_in_order
from tests.servers import S3Server

MANY = 10**9


@pytest.fixture(params=["memory", "folder", "s3", "s3 prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PhotoStore:
    match request.param:
        case "memory":
            return MemoryPhotoStore()
        case "folder":
            return open_store(str(tmp_path), S3Options())
    bucket = request.getfixturevalue("s3_bucket")
    server = request.getfixturevalue("s3_server")
    return open_store(f"s3://{bucket}/fleet/a" if "prefix" in request.param else f"s3://{bucket}", server.options)


class TestContract:
    def test_what_is_written_can_be_read_found_and_listed(self, store: PhotoStore) -> None:
        written = store.write("returns/a/1.jpg", b"photo", content_type="image/jpeg")
        blob = store.read("returns/a/1.jpg", max_bytes=5)
        assert (blob.data, blob.etag) == (b"photo", written.etag)
        assert blob.sha256 == hashlib.sha256(b"photo").hexdigest()
        found = store.stat("returns/a/1.jpg")
        assert found is not None
        assert (found.key, found.size, found.etag) == ("returns/a/1.jpg", 5, written.etag)
        assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
        (listed,) = store.list()
        assert (listed.key, listed.size, listed.etag) == (found.key, found.size, found.etag)

    def test_an_empty_object_is_an_object(self, store: PhotoStore) -> None:
        store.write("a", b"")
        assert store.read("a", max_bytes=0).data == b""
        assert [entry.size for entry in store.list()] == [0]

    def test_listing_is_in_order_of_utf8_bytes_and_by_prefix(self, store: PhotoStore) -> None:
        keys = ["a.jpg", "a/2", "a/é", "a/z", "a-b", "a b+c%2F&=.jpg", "ab/c/d", "a/\U0001f697", "a/\uffee"]
        for key in keys:
            store.write(key, b"x")
        assert [entry.key for entry in store.list()] == sorted(keys, key=str.encode)
        assert [entry.key for entry in store.list("a/")] == sorted((k for k in keys if k[:2] == "a/"), key=str.encode)
        assert [entry.key for entry in store.list("ab/c")] == ["ab/c/d"]
        assert [entry.key for entry in store.list("a")] == sorted(keys, key=str.encode)
        assert list(store.list("nothing/")) == []
        for key in keys:
            assert store.read(key, max_bytes=1).data == b"x"

    def test_an_overwrite_is_another_version(self, store: PhotoStore) -> None:
        old = store.write("a", b"one")
        new = store.write("a", b"two")
        assert old.etag != new.etag
        assert store.read("a", max_bytes=9, etag=new.etag).data == b"two"
        with pytest.raises(PhotoChanged, match="a was replaced"):
            store.read("a", max_bytes=9, etag=old.etag)
        assert [entry.etag for entry in store.list()] == [new.etag]

    def test_what_is_created_stays_as_it_is(self, store: PhotoStore) -> None:
        assert store.create("a/1.json", b"first", content_type="application/json") is True
        assert store.create("a/1.json", b"second") is False
        assert store.read("a/1.json", max_bytes=9).data == b"first"
        assert [entry.key for entry in store.list()] == ["a/1.json"]

    def test_of_many_that_create_one_object_one_succeeds(self, store: PhotoStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(lambda number: store.create("a/1", b"%d" % number), range(8)))
        assert sum(created) == 1
        assert store.read("a/1", max_bytes=9).data == b"%d" % created.index(True)

    def test_too_large_is_refused_before_it_is_read(self, store: PhotoStore) -> None:
        store.write("a", b"12345")
        with pytest.raises(PhotoRefused, match="a has 5 bytes") as caught:
            store.read("a", max_bytes=4)
        assert caught.value.reason is Refusal.TOO_LARGE

    def test_the_start_of_an_object(self, store: PhotoStore) -> None:
        written = store.write("a", b"12345")
        store.write("empty", b"")
        assert store.read_start("a", 3) == b"123"
        assert store.read_start("a", 9, etag=written.etag) == b"12345"
        assert store.read_start("empty", 3) == b""
        store.write("a", b"54321")
        with pytest.raises(PhotoChanged, match="a was replaced"):
            store.read_start("a", 3, etag=written.etag)
        with pytest.raises(PhotoMissing, match="b"):
            store.read_start("b", 3)
        with pytest.raises(InvalidKey):
            store.read_start("../a", 3)

    def test_what_is_not_there(self, store: PhotoStore) -> None:
        store.write("a/b", b"x")
        assert store.stat("a/c") is None
        assert store.stat("a") is None
        with pytest.raises(PhotoMissing, match="a/c"):
            store.read("a/c", max_bytes=9)
        with pytest.raises(PhotoMissing):
            store.read("a", max_bytes=9)

    @pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "../x", "a//b", "a\nb", "a\0b", "x" * 1025])
    def test_odd_keys_are_refused(self, store: PhotoStore, key: str) -> None:
        with pytest.raises(InvalidKey):
            store.read(key, max_bytes=9)
        with pytest.raises(InvalidKey):
            store.write(key, b"x")
        with pytest.raises(InvalidKey):
            store.create(key, b"x")

    def test_many_threads(self, store: PhotoStore) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(5):
                    store.write(f"{number}/{turn}", b"%d" % turn)
                    assert store.read(f"{number}/{turn}", max_bytes=9).data == b"%d" % turn
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sum(1 for _ in store.list()) == 40


class TestS3:
    def test_a_listing_of_several_pages(self, s3_server: S3Server, s3_bucket: str) -> None:
        client = s3_server.s3()
        keys = [f"p/{number:04}" for number in range(25)]
        for key in keys:
            client.put_object(Bucket=s3_bucket, Key=key, Body=b"")
        client.put_object(Bucket=s3_bucket, Key="q", Body=b"")
        store = open_store(f"s3://{s3_bucket}", replace(s3_server.options, page_size=10))
        assert [entry.key for entry in store.list("p/")] == keys

    def test_a_server_that_lists_folder_by_folder_is_noticed_once_and_sorted(self) -> None:
        keys = [
            "HB-20-1/r/1.jpg",
            "HB-20-1/r/2.jpg",
            "HB-20/r/1.jpg",
            "HB-20/r/sub/1.jpg",
            "HB-20/r/sub-2.jpg",
            "x.jpg",
        ]
        in_order = sorted(keys, key=str.encode)
        objects = {f"fleet/{key}": b"x" for key in keys}
        with serving_in_order(objects, folder_by_folder) as url:
            store = open_store("s3://bucket/fleet", options_for(url))
            assert [entry.key for entry in store.list()] != in_order, "the first listing shows it"
            assert [entry.key for entry in store.list()] == in_order
            assert [entry.key for entry in store.list("HB-20")] == in_order[:-1]
            assert [entry.key for entry in store.list("HB-20/")] == in_order[2:-1]
            assert list(store.list("nothing/")) == []

    def test_names(self, s3_server: S3Server, s3_bucket: str) -> None:
        assert open_store(f"s3://{s3_bucket}/", s3_server.options).name == s3_bucket
        assert open_store(f"s3://{s3_bucket}/a/b/", s3_server.options).name == f"{s3_bucket}/a/b"

    def test_a_missing_bucket_is_never_a_missing_photo(self, s3_server: S3Server) -> None:
        store = open_store("s3://no-such-bucket", s3_server.options)
        uses: list[Callable[[], object]] = [
            lambda: list(store.list()),
            lambda: store.stat("a"),
            lambda: store.read("a", max_bytes=1),
            lambda: store.write("a", b""),
            lambda: store.create("a", b""),
        ]
        for use in uses:
            with pytest.raises(StoreRefused, match=r"s3://no-such-bucket.*no such bucket; check its name"):
                use()

    def test_what_is_no_bucket_name(self, s3_server: S3Server) -> None:
        with pytest.raises(StoreRefused, match="Not_A_Bucket!"):
            list(open_store("s3://Not_A_Bucket!", s3_server.options).list())

    def test_no_server_is_unavailable(self) -> None:
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            options = options_for(f"http://127.0.0.1:{unused.getsockname()[1]}")
            with pytest.raises(StoreUnavailable, match=r"s3://bucket.*WALKAROUND_S3_ENDPOINT_URL"):
                list(open_store("s3://bucket", options).list())

    def test_an_endpoint_that_is_no_url(self) -> None:
        with pytest.raises(StoreRefused, match="nonsense"):
            open_store("s3://bucket", S3Options(endpoint_url="nonsense", region="us-east-1"))

    def test_no_credentials(self, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        store = open_store("s3://bucket", S3Options(endpoint_url=s3_server.endpoint_url, region="us-east-1"))
        with pytest.raises(StoreRefused, match="no credentials.*WALKAROUND_S3_ACCESS_KEY_ID"):
            list(store.list())

    @pytest.mark.parametrize(
        ("status", "code", "expected", "words"),
        [
            (403, "AccessDenied", StoreRefused, "allow s3:ListBucket"),
            (400, "ExpiredToken", StoreRefused, "renew"),
            (403, "InvalidAccessKeyId", StoreRefused, "WALKAROUND_S3_ACCESS_KEY_ID"),
            (403, "SignatureDoesNotMatch", StoreRefused, "secret key"),
            (400, "AuthorizationHeaderMalformed", StoreRefused, "WALKAROUND_S3_REGION"),
            (403, "RequestTimeTooSkewed", StoreRefused, "clock"),
            (403, "InvalidObjectState", PhotoRefused, "restore"),
            (400, "KMS.ThrottlingException", StoreUnavailable, "KMS.Throttling"),
            (418, "Teapot", StoreRefused, "Teapot"),
            (404, "NoSuchKey", PhotoMissing, "no photo"),
            (412, "PreconditionFailed", PhotoChanged, "replaced"),
            (503, "SlowDown", StoreUnavailable, "SlowDown"),
            (500, "InternalError", StoreUnavailable, "InternalError"),
            (429, "TooManyRequests", StoreUnavailable, "TooManyRequests"),
        ],
    )
    def test_answers_are_translated(self, status: int, code: str, expected: type[Exception], words: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        with serving(status, {"Content-Type": "application/xml"}, body) as url:
            store = open_store("s3://bucket", options_for(url))
            with pytest.raises(expected, match=words) as caught:
                store.read("a/b.jpg", max_bytes=9)
        assert "s3://bucket/a/b.jpg" in str(caught.value)

    def test_an_archived_object_is_refused_alone(self, s3_server: S3Server, s3_bucket: str) -> None:
        s3_server.s3().put_object(Bucket=s3_bucket, Key="r/1.jpg", Body=b"x", StorageClass="GLACIER")
        store = open_store(f"s3://{s3_bucket}", s3_server.options)
        for read in (lambda: store.read("r/1.jpg", max_bytes=9), lambda: store.read_start("r/1.jpg", 9)):
            with pytest.raises(PhotoRefused, match=r"restore it there.*r/1\.jpg: InvalidObjectState") as caught:
                read()
            assert caught.value.reason is Refusal.ARCHIVED

    @pytest.mark.parametrize(
        ("status", "code"), [(403, "AccessDenied"), (400, "KMS.DisabledException"), (400, "InvalidRequest")]
    )
    @pytest.mark.parametrize("readable", ["r/2.jpg", "a/1.jpg", "s/1.jpg"])
    def test_a_store_that_refuses_one_object_and_gives_others(self, status: int, code: str, readable: str) -> None:
        with refusing(["a/1.jpg", "r/1.jpg", "r/2.jpg", "s/1.jpg"], {readable}, status, code) as url:
            store = open_store("s3://bucket", options_for(url))
            with pytest.raises(PhotoRefused, match=f"r/1.jpg: {code}") as caught:
                store.read("r/1.jpg", max_bytes=9)
        assert caught.value.reason is Refusal.ACCESS_DENIED

    @pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "KMS.DisabledException")])
    def test_a_store_that_refuses_every_object_is_an_outage(self, status: int, code: str) -> None:
        keys = ["r/1.jpg", "r/2.jpg", "s/1.jpg"]
        with refusing(keys, set(), status, code) as url, pytest.raises(StoreRefused, match=r"r/1\.jpg"):
            open_store("s3://bucket", options_for(url)).read("r/1.jpg", max_bytes=9)

    def test_two_that_create_at_once_try_again(self) -> None:
        with serving(409, {}, b"<Error><Code>ConditionalRequestConflict</Code></Error>") as url:
            store = open_store("s3://bucket", options_for(url))
            with pytest.raises(StoreUnavailable, match="s3://bucket/a"):
                store.create("a", b"x")

    def test_head_without_permission_is_not_absence(self) -> None:
        with serving(403, {}, b"") as url, pytest.raises(StoreRefused, match="access denied"):
            open_store("s3://bucket", options_for(url)).stat("a")

    def test_a_short_body_is_never_a_photo(self) -> None:
        with serving(200, {"ETag": '"e"', "Content-Length": "10"}, b"12345") as url:
            store = open_store("s3://bucket", options_for(url))
            with pytest.raises(StoreUnavailable, match="s3://bucket/a"):
                store.read("a", max_bytes=100)

    def test_a_body_that_stalls(self) -> None:
        with serving(200, {"ETag": '"e"', "Content-Length": "10"}, b"12345", stall=True) as url:
            store = open_store("s3://bucket", options_for(url))
            with pytest.raises(StoreUnavailable, match="s3://bucket/a"):
                store.read("a", max_bytes=100)

    def test_a_server_that_ignores_if_match(self) -> None:
        with serving(200, {"ETag": '"new"', "Content-Length": "1"}, b"1") as url, pytest.raises(PhotoChanged):
            open_store("s3://bucket", options_for(url)).read("a", max_bytes=9, etag="old")

    def test_a_server_that_announces_no_size(self) -> None:
        with serving(200, {"ETag": '"e"', "Transfer-Encoding": "chunked"}, b"3\r\n123\r\n0\r\n\r\n") as url:
            assert open_store("s3://bucket", options_for(url)).read("a", max_bytes=3).data == b"123"
            # Another store, for this server hangs up after an answer, and the first may not have noticed yet.
            with pytest.raises(PhotoRefused):
                open_store("s3://bucket", options_for(url)).read("a", max_bytes=2)


def options_for(url: str) -> S3Options:
    """Impatient options, so that what does not answer is told within a second."""
    return S3Options(
        endpoint_url=url,
        region="us-east-1",
        path_style=True,
        access_key_id="testing",
        secret_access_key="testing",
        connect_timeout_s=0.5,
        read_timeout_s=0.5,
        attempts=1,
    )


@contextmanager
def refusing(keys: list[str], readable: set[str], status: int, code: str) -> Iterator[str]:
    """A server that lists all `keys` of one bucket, gives those that are readable, and refuses the others."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query, key = parse_qs(address.query), unquote(address.path).removeprefix("/bucket/")
            if "list-type" in query:
                prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
                found = [key for key in keys if key.startswith(prefix) and key > after]
                entries = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in found)
                self._answer(200, f"<ListBucketResult>{entries}</ListBucketResult>")
            elif key in readable:
                self._answer(206, "x")
            else:
                self._answer(status, f"<Error><Code>{code}</Code></Error>")

        def _answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(status: int, headers: dict[str, str], body: bytes, *, stall: bool = False) -> Iterator[str]:
    """An HTTP server that answers everything alike."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if not {"Content-Length", "Transfer-Encoding"}.intersection(headers):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
                self.wfile.flush()
            if stall:
                done.wait(10)
            self.close_connection = True

        do_HEAD = do_PUT = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        done.set()
        server.shutdown()
        thread.join()
        server.server_close()
