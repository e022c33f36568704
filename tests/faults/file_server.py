"""A local HTTP server of a folder's files that can break every connection, or refuse some paths."""

import hashlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

RESET = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection


class FileServer:
    """Serves `root` with Range and If-Range.

    Attributes:
        odd: path -> what to do instead of serving it, given the request's handler.
        breaks: if set, every connection ends after a random number of bytes below `longest`,
            half of them with a reset.
        sent: bytes of bodies that were handed to the network.
        asked: paths in the order of requests.
    """

    def __init__(self, root: Path, breaks: random.Random | None = None, longest: int = 0):
        self.root, self.breaks, self.longest = root, breaks, longest
        self.odd: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.sent, self.broken = 0, 0
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = unquote(self.path)
                server.asked.append(path)
                server.odd.get(path, server.serve)(self)

            def log_message(self, format, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> "FileServer":
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve(self, h: BaseHTTPRequestHandler) -> None:
        """Send the file, or its rest if the request names the file's present ETag."""
        file = self.root / unquote(h.path).lstrip("/")
        if not file.is_file():
            answer(404)(h)
            return
        body = file.read_bytes()
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        asked = h.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        start = int(asked) if h.headers.get("If-Range") == etag else 0
        h.send_response(206 if start else 200)
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        h.send_header("ETag", etag)
        h.send_header("Content-Length", str(len(body) - start))
        h.end_headers()
        self._send(h, body[start:])

    def _send(self, h: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.breaks is None:
            h.wfile.write(body)
            self.sent += len(body)
            return
        part = body[: self.breaks.randrange(self.longest)]
        self.broken += len(part) < len(body)
        h.wfile.write(part)
        self.sent += len(part)
        if self.breaks.random() < 0.5:
            h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            h.connection.close()


def answer(
    status: int, body: bytes = b"", kind: str = "application/octet-stream"
) -> Callable[[BaseHTTPRequestHandler], None]:
    """The same answer to every request."""

    def behave(h: BaseHTTPRequestHandler) -> None:
        h.send_response(status)
        h.send_header("Content-Type", kind)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body)

    return behave


def closed_address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
