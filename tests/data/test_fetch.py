import gzip
import hashlib
import os
import random
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from physiome.data import slots
from physiome.data.checks import has_digest, is_whole_vital, looks_like_page
from physiome.data.fetch import Limits, addresses, fetch
from physiome.data.transfer import PIECE
from physiome.errors import DataError, PhysioError

BODY = bytes(range(256)) * 4000  # 1 MB
CHECK = has_digest(hashlib.sha1(BODY).hexdigest())
KEPT = 18 * PIECE
LIMITS = Limits(timeout_s=2.0, attempts=3, connections=2, pause_s=0.01)


class Server:
    """Answers each path by its list of behaviours, one per request, the last one for ever."""

    def __init__(self):
        self.behaviours: dict[str, list] = {}
        self.asked: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.busy = self.busiest = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.asked[self.path].append(dict(self.headers))
                script = server.behaviours[self.path]
                behave = script.pop(0) if len(script) > 1 else script[0]
                server.busy += 1
                server.busiest = max(server.busiest, server.busy)
                try:
                    behave(self)
                finally:
                    server.busy -= 1
                    self.close_connection = True

            def end_headers(self):
                self.send_header("Connection", "close")
                super().end_headers()

            def log_message(self, format, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def at(self, path: str, *behaviours) -> str:
        self.behaviours[path] = list(behaviours)
        return self.base + path

    def close(self):
        self._http.shutdown()
        self._http.server_close()


def status(code: int, **headers: str):
    def behave(h):
        h.send_response(code)
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        h.send_header("Content-Length", "0")
        h.end_headers()

    return behave


def whole(body: bytes = BODY, etag: str = '"1"', kind: str = "application/octet-stream"):
    """The whole file, or its rest if the request names the same ETag."""

    def behave(h):
        begin = h.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        start = int(begin) if h.headers.get("If-Range") == etag else 0
        h.send_response(206 if start else 200)
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        h.send_header("ETag", etag)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body) - start))
        h.end_headers()
        h.wfile.write(body[start:])

    return behave


def cut(after: int, etag: str | None = '"1"', body: bytes = BODY):
    """Promises the whole file, breaks off after some bytes."""

    def behave(h):
        h.send_response(200)
        if etag:
            h.send_header("ETag", etag)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body[:after])

    return behave


def silent(h):
    """Sends the header and then nothing."""
    h.send_response(200)
    h.send_header("Content-Length", str(len(BODY)))
    h.end_headers()
    time.sleep(0.6)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "raw" / "file.edf"


def nothing_is_left_at(target: Path) -> bool:
    return not target.exists()


def test_a_good_file_arrives_whole_and_nothing_else_stays(server, target):
    fetch([server.at("/f", whole())], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, target, code):
    fetch([server.at("/f", status(code), status(code), whole())], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(server, target, code):
    with pytest.raises(DataError, match=f"HTTP {code}.*downloads are continued") as error:
        fetch([server.at("/f", status(code))], target, CHECK, LIMITS)
    assert len(server.asked["/f"]) == 1
    assert server.base in str(error.value)
    assert "1 attempts, 0 bytes" in str(error.value)
    assert nothing_is_left_at(target)


def test_the_final_error_lists_every_address_with_attempts_and_bytes(server, target):
    bad = [server.at("/a", status(500)), server.at("/b", cut(KEPT))]
    with pytest.raises(DataError) as error:
        fetch(bad, target, CHECK, LIMITS)
    text = str(error.value)
    assert f"{bad[0]} (3 attempts, 0 bytes kept): HTTP 500" in text
    assert f"{bad[1]} (3 attempts, {KEPT} bytes kept)" in text
    assert nothing_is_left_at(target)


def test_a_broken_transfer_is_continued_where_it_broke(server, target):
    fetch([server.at("/f", cut(KEPT), whole())], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY
    first, second = server.asked["/f"]
    assert "Range" not in first
    assert (second["Range"], second["If-Range"]) == (f"bytes={KEPT}-", '"1"')


def test_a_later_run_continues_the_part(server, target):
    url = server.at("/f", cut(2 * KEPT))
    once = Limits(attempts=1, pause_s=0.01)
    with pytest.raises(DataError, match=f"{2 * KEPT} bytes kept"):
        fetch([url], target, CHECK, once)
    server.at("/f", whole())
    fetch([url], target, CHECK, once)
    assert server.asked["/f"][1]["Range"] == f"bytes={2 * KEPT}-"
    assert target.read_bytes() == BODY


def test_a_file_that_changed_meanwhile_is_not_spliced(server, target):
    old = bytes(len(BODY))
    fetch([server.at("/f", cut(KEPT, '"0"', old), whole())], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY


def test_a_server_that_ignores_the_guard_cannot_splice(server, target):
    def ignores_if_range(h):
        start = int(h.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        h.send_response(206 if start else 200)
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        h.send_header("ETag", '"2"')
        h.send_header("Content-Length", str(len(BODY) - start))
        h.end_headers()
        h.wfile.write(BODY[start:])

    def accept_all(path):  # the guard must work without a sum, too
        pass

    old = bytes(len(BODY))
    url = server.at("/f", cut(KEPT, '"1"', old), ignores_if_range)
    fetch([url], target, accept_all, LIMITS)
    assert target.read_bytes() == BODY


def test_without_range_support_the_file_comes_anew(server, target):
    plain = cut(len(BODY), etag=None)
    fetch([server.at("/f", cut(KEPT, etag=None), plain)], target, CHECK, LIMITS)
    assert "Range" not in server.asked["/f"][1]
    assert target.read_bytes() == BODY


def test_a_part_from_another_address_is_not_continued(server, target):
    other = bytes(len(BODY))
    urls = [server.at("/a", cut(KEPT, '"1"', other)), server.at("/b", whole())]
    fetch(urls, target, CHECK, LIMITS)
    assert "Range" not in server.asked["/b"][0]
    assert target.read_bytes() == BODY


def test_a_range_that_cannot_be_had_starts_over(server, target):
    fetch([server.at("/f", cut(KEPT), status(416), whole())], target, CHECK, LIMITS)
    assert "Range" not in server.asked["/f"][2]
    assert target.read_bytes() == BODY


def test_a_silent_server_times_out(server, target):
    limits = Limits(timeout_s=0.2, attempts=2, pause_s=0.01)
    with pytest.raises(DataError, match=r"2 attempts.*timed out"):
        fetch([server.at("/f", silent)], target, CHECK, limits)


def test_the_wrong_file_is_not_asked_for_twice_but_a_mirror_is(server, target):
    urls = [server.at("/a", whole(b"other bytes")), server.at("/b", whole())]
    fetch(urls, target, CHECK, LIMITS)
    assert len(server.asked["/a"]) == 1
    assert target.read_bytes() == BODY
    assert os.listdir(target.parent) == [target.name]


def test_a_wrong_hash_is_an_error_with_both_sums(server, target):
    with pytest.raises(DataError, match=r"wrong sha1 - expected \w{40}, found \w{40}"):
        fetch([server.at("/f", whole(b"other bytes"))], target, CHECK, LIMITS)
    assert nothing_is_left_at(target)


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("text/html; charset=utf-8", b"<!-- a comment first --><html>Please log in</html>"),
        ("application/octet-stream", b"<!DOCTYPE html><html>Please log in</html>"),
    ],
)
def test_a_login_page_is_recognised(server, target, kind, page):
    urls = [server.at("/f", status(302, Location="/login"))]
    server.at("/login", whole(page, kind=kind))
    with pytest.raises(DataError, match=r"web page came instead.*/login"):
        fetch(urls, target, lambda path: None, LIMITS)
    assert len(server.asked["/login"]) == 1
    assert nothing_is_left_at(target)


def test_a_verified_file_is_not_fetched_again(server, target):
    url = server.at("/f", whole())
    fetch([url], target, CHECK, LIMITS)
    fetch([url], target, CHECK, LIMITS)
    assert len(server.asked["/f"]) == 1


def test_an_altered_file_is_replaced(server, target):
    url = server.at("/f", whole())
    fetch([url], target, CHECK, LIMITS)
    target.write_bytes(BODY[:-1] + b"?")
    fetch([url], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY


def test_an_altered_file_is_reported_when_offline_and_kept(server, target):
    target.parent.mkdir()
    target.write_bytes(b"altered")
    with pytest.raises(DataError, match=r"the one that is there is bad \(wrong sha1"):
        fetch([server.at("/f", status(404))], target, CHECK, LIMITS)
    assert target.read_bytes() == b"altered"


def test_a_compressed_file_is_stored_as_it_is(server, target):
    packed = gzip.compress(BODY)
    check = has_digest(hashlib.sha256(packed).hexdigest(), "sha256")
    fetch([server.at("/f.gz", whole(packed, kind="application/gzip"))], target, check, LIMITS)
    assert target.read_bytes() == packed
    assert server.asked["/f.gz"][0]["Accept-Encoding"] == "identity"


def test_never_more_connections_than_allowed(server, tmp_path):
    def slow(h):
        time.sleep(0.05)
        whole()(h)

    url = server.at("/f", slow)
    jobs = [
        threading.Thread(target=fetch, args=([url], tmp_path / f"{i}", CHECK, LIMITS))
        for i in range(6)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert server.busiest <= LIMITS.connections
    assert len(list(tmp_path.iterdir())) == 6


def test_a_slot_is_free_again_after_an_error():
    for _ in range(3):
        with pytest.raises(KeyError), slots.connection_slot(1):
            raise KeyError


@pytest.mark.parametrize("name", ["with space é'.edf", "plain.edf"])
def test_a_file_address_is_a_mirror(tmp_path, name):
    mirror, target = tmp_path / "mirror", tmp_path / "raw" / name
    mirror.mkdir()
    (mirror / name).write_bytes(BODY)
    fetch(addresses([mirror.as_uri()], name), target, CHECK, LIMITS)
    assert target.read_bytes() == BODY


def test_a_missing_mirror_file_and_an_odd_address_are_refused(tmp_path):
    urls = [(tmp_path / "no").as_uri(), "gopher://x/y", "no address"]
    with pytest.raises(DataError, match=r"no such file.*gopher.*no address"):
        fetch(urls, tmp_path / "f", CHECK, LIMITS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, server):
    (tmp_path / "file").write_text("")
    with pytest.raises(PhysioError, match="cannot be written"):
        fetch([server.at("/f", whole())], tmp_path / "file" / "x", CHECK, LIMITS)


def test_addresses_are_quoted_and_in_order():
    found = addresses(["https://a/x/", "file:///b"], "n é.edf")
    assert found == ["https://a/x/n%20%C3%A9.edf", "file:///b/n%20%C3%A9.edf"]


@pytest.mark.parametrize("keep", [0, 3, 0.3, 0.7, 0.999])
def test_a_cut_vital_file_is_refused(tmp_path, keep):
    packed = gzip.compress(b"VITA" + os.urandom(5000))
    path = tmp_path / "x.part"
    path.write_bytes(packed)
    is_whole_vital(path)
    path.write_bytes(packed[: keep if isinstance(keep, int) else int(keep * len(packed))])
    with pytest.raises(DataError):
        is_whole_vital(path)


def test_every_flipped_bit_of_a_vital_file_is_found(tmp_path):
    samples = bytes(random.Random(0).choices(range(16), k=10_000))
    packed = gzip.compress(b"VITA" + samples, mtime=0)
    path = tmp_path / "x.vital"
    for place in range(10, len(packed), 97):  # behind the gzip header, which carries no data
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 16]) + packed[place + 1 :])
        with pytest.raises(DataError):
            is_whole_vital(path)


def test_another_gzip_file_is_no_vital_file(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"caseid,tname"))
    with pytest.raises(DataError, match=r"not a \.vital file"):
        is_whole_vital(tmp_path / "x")


def test_pages_and_data_are_told_apart():
    assert looks_like_page(b"\n <HTML><head>")
    assert looks_like_page(b"\xef\xbb\xbf<!doctype HTML>")
    assert not looks_like_page(b"0       X X X")
    assert not looks_like_page(b"")
