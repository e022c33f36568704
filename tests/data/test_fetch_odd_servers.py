"""Ways to misbehave that a patient downloader could fall for: trickles, resets, hidden changes."""

import contextlib
import gzip
import hashlib
import socket
import struct
import time

import pytest
from misbehaving import BODY, cut, status, whole

from physiome.data.download.fetch import fetch
from physiome.data.download.file_checks import has_digest
from physiome.data.download.limits import Limits, NotYetError
from physiome.data.download.transfer import PIECE
from physiome.errors import DataError

CHECK = has_digest(hashlib.sha1(BODY).hexdigest())
SIZE = len(BODY)
LIMITS = Limits(connect_timeout_s=2.0, timeout_s=2.0, attempts=2, pause_s=0.0)


def begin(h, length: int | None = SIZE, **headers):
    start = int(h.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    h.send_response(206 if start else 200)
    if start:
        h.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
    for name, value in headers.items():
        h.send_header(name.replace("_", "-"), value)
    if length is not None:
        h.send_header("Content-Length", str(length - start))
    h.end_headers()
    return start


def test_a_connection_reset_in_mid_body_is_continued(server, target):
    def reset(h):
        begin(h, ETag='"1"')
        h.wfile.write(BODY[: 4 * PIECE])
        time.sleep(0.1)  # let the client take what came
        linger = struct.pack("ii", 1, 0)
        h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        h.connection.close()

    fetch([server.at("/f", reset, whole())], target, CHECK, LIMITS)
    assert server.asked["/f"][1]["Range"] == f"bytes={4 * PIECE}-"
    assert target.read_bytes() == BODY


def test_a_trickle_is_cut_off_although_no_read_times_out(server, target):
    def trickle(h):
        begin(h, ETag='"1"')
        with contextlib.suppress(ConnectionError):
            while True:  # until the client hangs up
                h.wfile.write(b"x")
                time.sleep(0.01)

    limits = Limits(timeout_s=1.0, attempts=1)
    with pytest.raises(NotYetError, match=r"transfer stalled: \d+ bytes came in \d+\.\d s"):
        fetch([server.at("/f", trickle)], target, CHECK, limits)
    assert not target.exists()


def test_attempts_that_bring_something_do_not_count(server, target):
    def next_piece(h):
        start = begin(h, ETag='"1"')
        h.wfile.write(BODY[start : start + 4 * PIECE])

    fetch([server.at("/f", next_piece)], target, CHECK, LIMITS)
    assert len(server.asked["/f"]) > 10 * LIMITS.attempts / 2
    assert target.read_bytes() == BODY


def test_many_small_advances_count_together(server, target):
    def a_little_more(h):
        start = begin(h, ETag='"1"')
        h.wfile.write(BODY[start : start + PIECE // 2])

    fetch([server.at("/f", a_little_more)], target, CHECK, Limits(attempts=3, pause_s=0.0))
    assert target.read_bytes() == BODY


def test_a_server_that_always_starts_over_is_given_up(server, target):
    marks = iter(range(1000))

    def always_another(h):
        cut(4 * PIECE, etag=f'"{next(marks)}"')(h)

    with pytest.raises(NotYetError, match=r"\(3 attempts"):
        fetch([server.at("/f", always_another)], target, CHECK, LIMITS)


def test_a_beginning_that_is_lost_again_and_again_is_no_progress(server, target):
    def takes_it_back(h):
        (status(416) if "Range" in h.headers else cut(4 * PIECE))(h)

    with pytest.raises(NotYetError, match=r"\(3 attempts"):
        fetch([server.at("/f", takes_it_back)], target, CHECK, LIMITS)


def test_a_server_that_compresses_unasked_is_understood(server, target):
    packed = gzip.compress(BODY)

    def compressed(h):
        begin(h, len(packed), ETag='"1"', Content_Encoding="gzip")
        h.wfile.write(packed)

    fetch([server.at("/f", compressed)], target, CHECK, LIMITS)
    assert target.read_bytes() == BODY


def test_a_cut_compressed_body_is_not_continued_in_the_middle(server, target):
    packed = gzip.compress(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(200)) * 40)

    def cut_short(h):
        begin(h, len(packed), ETag='"1"', Content_Encoding="gzip")
        h.wfile.write(packed[: len(packed) // 2])

    fetch([server.at("/f", cut_short, whole())], target, CHECK, LIMITS)
    assert "Range" not in server.asked["/f"][1]
    assert target.read_bytes() == BODY


def test_a_chunked_body_without_its_end_is_noticed(server, target):
    def unfinished(h):
        begin(h, None, Transfer_Encoding="chunked")
        h.wfile.write(b"1000\r\n" + BODY[:4096] + b"\r\n2000\r\n" + BODY[:100])

    with pytest.raises(NotYetError, match="2 attempts"):
        fetch([server.at("/f", unfinished)], target, lambda path: None, LIMITS)
    assert not target.exists()


@pytest.mark.parametrize("missing", [-100, 100])
def test_a_length_that_is_not_the_files_is_noticed(server, target, missing):
    def wrong_length(h):
        begin(h, len(BODY) + missing)
        h.wfile.write(BODY)

    with pytest.raises(DataError, match="IncompleteRead" if missing > 0 else "wrong sha1"):
        fetch([server.at("/f", wrong_length)], target, CHECK, LIMITS)
    assert not target.exists()


def test_connecting_has_a_time_out_of_its_own(target):
    with socket.socket() as deaf:  # its queue is full: it never answers a further caller
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/f"
        with socket.create_connection(deaf.getsockname()):
            # The kernel gives up after minutes, and then by another error.
            limits = Limits(connect_timeout_s=0.2, timeout_s=3600.0, attempts=1)
            with pytest.raises(NotYetError, match="ConnectTimeout"):
                fetch([url], target, CHECK, limits)


def test_a_file_known_by_its_date_is_continued_beside_a_weak_mark(server, target):
    """A weak ETag (RFC 9110, 8.8.1) may not be used to continue; its change says nothing."""
    dated = {"ETag": 'W/"1"', "Last_Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}

    def half_of_the_rest(h):
        start = begin(h, **dated)
        h.wfile.write(BODY[start : (start + SIZE + PIECE) // 2])

    fetch([server.at("/f", half_of_the_rest)], target, CHECK, LIMITS)
    assert all("Range" in asked for asked in server.asked["/f"][1:])
    assert target.read_bytes() == BODY


def test_a_rest_that_comes_compressed_is_not_appended(server, target):
    def compressed_rest(h):
        start = begin(h, None, ETag='"1"', Content_Encoding="gzip")
        h.wfile.write(gzip.compress(BODY[start:]))

    address = server.at("/f", cut(4 * PIECE), compressed_rest, whole())
    fetch([address], target, lambda path: None, LIMITS)
    assert "Range" not in server.asked["/f"][2]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("number", ["\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_numbers_that_are_none_end_in_our_own_error(server, target, number):
    def odd(h):
        h.send_response(503)
        h.send_header("Retry-After", "\N{SUPERSCRIPT TWO}")
        h.send_header("Content-Length", "0")
        h.end_headers()

    def odd_length(h):
        begin(h, None, Content_Length=number)

    with pytest.raises(DataError, match="attempts"):
        fetch([server.at("/f", odd, odd_length)], target, has_digest("0" * 40), LIMITS)


def test_a_local_file_that_may_not_be_read_is_refused(target, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_bytes(BODY)
    monkeypatch.setattr("os.access", lambda path, mode: path != source)  # root may read all
    with pytest.raises(DataError, match="may not be read"):
        fetch([source.as_uri()], target, CHECK, LIMITS)
