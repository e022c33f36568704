import gzip
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from misbehaving import BODY, cut, silent, status, whole

from physiome.data.download import locks as slots
from physiome.data.download.fetch import addresses, fetch
from physiome.data.download.file_checks import has_digest
from physiome.data.download.limits import Limits
from physiome.data.download.transfer import PIECE
from physiome.errors import DataError, PhysioError

CHECK = has_digest(hashlib.sha1(BODY).hexdigest())
KEPT = 18 * PIECE
LIMITS = Limits(timeout_s=2.0, attempts=3, connections=2, pause_s=0.01)


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
    with pytest.raises(DataError, match=f"HTTP {code}.*correct the addresses") as error:
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
    # the attempt that brought something does not count as one in vain
    assert f"{bad[1]} (4 attempts, {KEPT} bytes kept)" in text
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
