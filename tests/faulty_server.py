"""A web server that misbehaves: each answer of its list is one fault of a real line."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from florilegium.downloads import BLOCK

CONTENT = bytes(range(256)) * (8 * BLOCK // 256)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


class Server(ThreadingHTTPServer):
    """Answers request number i with `answers[i]`, the last one for ever; keeps what was asked for."""

    daemon_threads = True

    def __init__(self, *answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.closing = answers, [], threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/folder/w.pth"

    def stop(self):
        self.closing.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request, answered as the server's list says."""

    def do_GET(self):
        number = len(self.server.asked)
        self.server.asked.append((self.path, self.headers.get("Range")))
        answer = self.server.answers[min(number, len(self.server.answers) - 1)]
        answer(self)

    def send(self, content, status=200, length=None, **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": length or len(content)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def whole(handler, content=CONTENT):
    """The file, or the rest of it when a range is asked for."""
    begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
    if begin >= len(content):
        handler.send(b"", 416)
    elif begin:
        handler.send(content[begin:], 206, Content_Range=f"bytes {begin}-{len(content) - 1}/{len(content)}")
    else:
        handler.send(content)


def without_ranges(handler):
    handler.send(CONTENT)


def broken_off(handler):
    """Promises the rest and hangs up after half of the file."""
    begin = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
    handler.send(CONTENT[begin:HALF], 206 if begin else 200, length=len(CONTENT) - begin)
    handler.close_connection = True


def stalled(handler):
    """Sends half of the file and then nothing, with the line open."""
    handler.send(CONTENT[:HALF], length=len(CONTENT))
    handler.server.closing.wait(20)


def silent(handler):
    handler.server.closing.wait(20)


def slow(handler):
    """Pauses shorter than the time-out, more of them together than it."""
    handler.send(b"", length=len(CONTENT))
    for start in range(0, len(CONTENT), len(CONTENT) // 8):
        handler.wfile.write(CONTENT[start : start + len(CONTENT) // 8])
        handler.wfile.flush()
        handler.server.closing.wait(0.1)


def corrupted(handler):
    whole(handler, b"x" + CONTENT[1:])


def another_rest(handler):
    whole(handler, CONTENT[:-1] + b"x")


def status(number):
    def answer(handler):
        handler.send(b"<html>sorry</html>", number)

    answer.__name__ = str(number)
    return answer
