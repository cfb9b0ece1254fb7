"""Decoding processes that hang, die, and outlive nobody; real processes throughout."""

import ctypes
import io
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain import PhotoLoader, ViewPlan
from core.errors import DecoderUnavailable, PhotoRefused, Refusal
from core.photos.sandbox.loader import ProcessPhotoLoader
from core.testing.inline_loader import InlinePhotoLoader
from tests.unit.core.photos.pictures import encoded, scene

PLAN = ViewPlan(size=32, tiles=2)
MEMORY = 1 << 30
OBEY = "tests.integration.decoders:obey"


def jpeg(width: int = 64, height: int = 48) -> bytes:
    grey = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 12:00:00"
    file = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(file, "JPEG", exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def obeying() -> Iterator[ProcessPhotoLoader]:
    loader = ProcessPhotoLoader(2, MEMORY, timeout_s=30, decoder=OBEY)
    yield loader
    loader.close()


@pytest.fixture
def impatient() -> Iterator[ProcessPhotoLoader]:
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=0.5, decoder=OBEY)
    yield loader
    loader.close()


@pytest.mark.parametrize("kind", ["inline", "processes"])
def test_both_loaders_keep_the_contract(kind: str, request: pytest.FixtureRequest) -> None:
    loader: PhotoLoader = InlinePhotoLoader() if kind == "inline" else request.getfixturevalue("obeying")
    photo = loader.load(jpeg(), PLAN)
    assert photo.views.shape == (5, 32, 32, 3)
    assert photo.views.dtype == np.uint8
    assert (photo.width, photo.height, photo.format) == (64, 48, "JPEG")
    assert photo.taken_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert 0.4 < photo.quality.brightness < 0.6
    for data, reason in [(b"", Refusal.EMPTY), (b"text", Refusal.NOT_A_PHOTO), (jpeg()[:-40], Refusal.TRUNCATED)]:
        with pytest.raises(PhotoRefused) as caught:
            loader.load(data, PLAN)
        assert caught.value.reason is reason


def test_both_loaders_give_the_same_for_a_long_photo_and_a_short_one_after_it() -> None:
    apart = ProcessPhotoLoader(1, MEMORY, timeout_s=30)
    try:
        for data in (jpeg(640, 480), jpeg(), jpeg(64, 64), jpeg(640, 480)):
            expected, found = InlinePhotoLoader().load(data, PLAN), apart.load(data, PLAN)
            assert np.array_equal(expected.views, found.views)
            assert (expected.width, expected.quality) == (found.width, found.quality)
        with pytest.raises(PhotoRefused) as caught:  # what is missing at its end must not come from the one before
            apart.load(jpeg()[:-40], PLAN)
        assert caught.value.reason is Refusal.TRUNCATED
    finally:
        apart.close()


def unusual_files() -> dict[str, bytes]:
    """Files for which Pillow imports parts of itself only when it meets them."""
    image = Image.fromarray(scene(160, 120))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 12:00:00"
    return {
        "JPEG with EXIF": encoded(image, "JPEG", exif=exif),
        "progressive": encoded(image, "JPEG", progressive=True),
        "MPO": encoded(image, "MPO", save_all=True, append_images=[image]),
        "CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "PNG with EXIF": encoded(image, "PNG", exif=exif, icc_profile=b"profile" * 20),
        "palette": encoded(image.quantize(16), "PNG", transparency=3),
        "16 bits": encoded(Image.fromarray(scene(160, 120)[:, :, 0].astype(np.uint16) * 200), "PNG"),
        "transparent": encoded(image.convert("RGBA"), "WEBP", exif=exif),
        "HEIC": encoded(image, "HEIF", quality=90, exif=exif.tobytes(), thumbnails=[64]),
    }


@pytest.mark.parametrize(("name", "data"), unusual_files().items(), ids=unusual_files())
def test_confinement_changes_no_photo(obeying: ProcessPhotoLoader, name: str, data: bytes) -> None:
    """A layer that refused what decoding needs would refuse good photos, or read no EXIF."""
    expected, confined = InlinePhotoLoader().load(data, PLAN), obeying.load(data, PLAN)
    assert np.array_equal(expected.views, confined.views)
    assert (expected.width, expected.height, expected.taken_at) == (confined.width, confined.height, confined.taken_at)
    assert ("EXIF" not in name) or expected.taken_at is not None


@pytest.mark.parametrize("word", [b"die", b"crash", b"raise"])
def test_a_photo_that_kills_its_process_twice_is_refused(obeying: ProcessPhotoLoader, word: bytes) -> None:
    before = obeying.pids
    with pytest.raises(PhotoRefused) as caught:
        obeying.load(word, PLAN)
    assert caught.value.reason is Refusal.DECODER_CRASHED
    assert obeying.load(jpeg(), PLAN).width == 64
    assert obeying.load(jpeg(), PLAN).width == 64
    assert len(obeying.pids) == len(before) == 2


def test_a_process_killed_once_costs_nothing() -> None:
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=30, decoder=OBEY)
    try:
        (before,) = loader.pids
        assert loader.load(b"die-in %d %s" % (before, jpeg()), PLAN).width == 64
        assert loader.pids != [before]
    finally:
        loader.close()


def test_an_idle_process_that_was_killed_is_replaced(obeying: ProcessPhotoLoader) -> None:
    for pid in obeying.pids:
        os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        assert obeying.load(jpeg(), PLAN).width == 64


def said_by(loader: ProcessPhotoLoader, word: bytes) -> str:
    with pytest.raises(PhotoRefused) as caught:
        loader.load(word, PLAN)
    return caught.value.detail


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="only Linux has these limits")
class TestNoWayOut:
    """Neither a socket nor another program, whatever code a photo may have smuggled in."""

    @pytest.mark.parametrize("deed", [b"socket", b"program"])
    def test_the_kernel_refuses(self, obeying: ProcessPhotoLoader, deed: bytes) -> None:
        try:
            ctypes.CDLL("libseccomp.so.2")
        except OSError:
            pytest.skip("no libseccomp here: the network namespace alone keeps the network away")
        assert said_by(obeying, deed) == "EPERM"

    def test_the_network_is_another_one(self, obeying: ProcessPhotoLoader) -> None:
        may = subprocess.run(["unshare", "--user", "--net", "true"], check=False, capture_output=True)
        if may.returncode:
            pytest.skip("no new namespaces here: libseccomp alone keeps the network away")
        assert said_by(obeying, b"network") != str(Path("/proc/self/ns/net").readlink())


def test_memory(obeying: ProcessPhotoLoader) -> None:
    with pytest.raises(PhotoRefused) as caught:
        obeying.load(b"eat", PLAN)
    assert caught.value.reason is Refusal.DECODER_MEMORY


def test_memory_of_a_real_photo() -> None:
    """A small file that unpacks to more than the process may have: 196 MB."""
    header = struct.pack(">IIBBBBB", 7000, 7000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    loader = ProcessPhotoLoader(1, 310 << 20, timeout_s=30)
    try:
        with pytest.raises(PhotoRefused) as caught:
            loader.load(data, PLAN)
        assert caught.value.reason is Refusal.DECODER_MEMORY
        assert loader.load(jpeg(), PLAN).width == 64
    finally:
        loader.close()


def test_a_hanging_process_is_ended_and_its_photo_refused(impatient: ProcessPhotoLoader) -> None:
    (before,) = impatient.pids
    with pytest.raises(PhotoRefused) as caught:
        impatient.load(b"hang", PLAN)
    assert caught.value.reason is Refusal.DECODER_TIMEOUT
    assert not runs(before)


def test_a_spinning_process_ends_by_the_systems_own_clock() -> None:
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=0.5, decoder=OBEY)
    try:
        with pytest.raises(PhotoRefused) as caught:
            loader.load(b"spin", PLAN)
        assert caught.value.reason is Refusal.DECODER_TIMEOUT
    finally:
        loader.close()


def test_cpu_time_is_counted_for_each_photo(obeying: ProcessPhotoLoader) -> None:
    """The limit is moved on before each photo, so that a process may live for long."""
    for _ in range(4):
        obeying.load(jpeg(), PLAN)
    for pid in obeying.pids:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_CPU)
        assert 30 <= soft <= 60


def test_a_stopped_process_is_noticed() -> None:
    large = bytes(2_000_000)  # more than the socket's buffer holds
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=1, decoder=OBEY)
    try:
        loader.load(jpeg(), PLAN)
        os.kill(loader.pids[0], signal.SIGSTOP)
        with pytest.raises(PhotoRefused) as caught:
            loader.load(b"hang " + large, PLAN)
        assert caught.value.reason is Refusal.DECODER_TIMEOUT
    finally:
        loader.close()


@pytest.mark.parametrize(
    "nonsense", [b"\xff" * 100, b"\0\0\0\x02{}" * 9, b"\0\0\0\x01[\0\0\0\0", b"\0\0\0\x02[]\0\0\0\0"]
)
def test_an_answer_of_nonsense_is_a_crash(nonsense: bytes) -> None:
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=30, decoder="tests.integration.decoders:lie")
    try:
        with pytest.raises(PhotoRefused) as caught:
            loader.load(nonsense, PLAN)
        assert caught.value.reason is Refusal.DECODER_CRASHED
    finally:
        loader.close()


def test_many_threads_share_two_processes(obeying: ProcessPhotoLoader) -> None:
    """Each thread gets its own photo back, also while another one's photo kills processes."""
    wrong: list[object] = []

    def work(number: int) -> None:
        data = b"die" if number == 0 else jpeg(64 + number, 48)
        for _ in range(2 if number == 0 else 6):
            try:
                if (width := obeying.load(data, PLAN).width) != 64 + number:
                    wrong.append(width)
            except PhotoRefused as error:
                if number != 0:
                    wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_process_is_light_and_knows_no_secrets(
    obeying: ProcessPhotoLoader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(PhotoRefused) as caught:
        obeying.load(b"modules", PLAN)
    assert not {"tensorflow", "keras", "celery", "sqlalchemy", "boto3", "pydantic"}.intersection(
        caught.value.detail.split()
    )
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    obeying.load(jpeg(), PLAN)
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=30, decoder=OBEY)
    try:
        with pytest.raises(PhotoRefused) as caught:
            loader.load(b"environment", PLAN)
        assert "AWS_SECRET_ACCESS_KEY" not in caught.value.detail
        with pytest.raises(PhotoRefused):
            loader.load(b"write %s" % os.fsencode(tmp_path / "loot"), PLAN)
        assert not (tmp_path / "loot").exists() or (tmp_path / "loot").stat().st_size == 0
    finally:
        loader.close()


def test_a_limit_too_small_to_start_says_so() -> None:
    loader = ProcessPhotoLoader(1, 1 << 20, timeout_s=30)
    try:
        for _ in range(2):
            with pytest.raises(DecoderUnavailable, match="WALKAROUND_DECODE_MEMORY_MB, now 1, is too small"):
                loader.load(jpeg(), PLAN)
    finally:
        loader.close()


def test_closing_ends_the_processes_and_what_waits_for_them() -> None:
    loader = ProcessPhotoLoader(1, MEMORY, timeout_s=60, decoder=OBEY)
    (pid,) = loader.pids
    loader.load(jpeg(), PLAN)
    failures: list[Exception] = []

    def wait() -> None:
        try:
            loader.load(b"hang", PLAN)
        except DecoderUnavailable as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    loader.close()
    waiting.join()
    assert len(failures) == 1
    assert not runs(pid)
    with pytest.raises(DecoderUnavailable, match="were ended"):
        loader.load(jpeg(), PLAN)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_no_process_outlives_its_parent(ending: signal.Signals) -> None:
    """The parent starts its loader from a thread that ends, then is interrupted in mid-photo with its whole group."""
    script = f"""
import contextlib
import threading
from core.photos.sandbox.loader import ProcessPhotoLoader
from core.domain import ViewPlan
made = []
starter = threading.Thread(target=lambda: made.append(ProcessPhotoLoader(2, {MEMORY}, 60, {OBEY!r})))
starter.start(); starter.join()
try:
    with contextlib.suppress(Exception):
        made[0].load(b"x", ViewPlan())
    print(*made[0].pids, flush=True)
    made[0].load(b"hang", ViewPlan())
finally:
    made[0].close()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[5],
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(runs, pids))
    os.killpg(parent.pid, ending)
    _, errors = parent.communicate(timeout=60)
    assert errors.count("Traceback") == (ending == signal.SIGINT)  # the parent's own KeyboardInterrupt, none of a child
    deadline = time.monotonic() + 30
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(runs, pids))


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
