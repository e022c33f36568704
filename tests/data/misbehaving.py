"""A local HTTP server whose misbehaviour is chosen per path and request."""

import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 4000  # 1 MB


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
