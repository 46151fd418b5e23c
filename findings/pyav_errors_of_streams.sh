#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# PyAV 18.1.0, which reads cameras, videos and streams for classifiers on boards: what its errors are
# depends on where FFmpeg keeps their number. Of a file that is missing, one that is no video, and a
# port where nobody listens the errors are OSError or ValueError, as of Python's own I/O. Of a page
# that answers 404, a protocol that it does not know and a server that stays silent (its own timeout)
# they are neither: a reader that catches OSError ends with them.
#
# Seen: FileNotFoundError, InvalidDataError, ConnectionRefusedError are OSError or ValueError;
# HTTPNotFoundError, ProtocolNotFoundError, ExitError are not. All are av.FFmpegError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check av==18.1.0
cat > errors.py <<'PY'
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av


class Empty(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
threading.Thread(target=server.serve_forever, daemon=True).start()
silent, nobody = socket.socket(), socket.socket()
for one in (silent, nobody):
    one.bind(("127.0.0.1", 0))
silent.listen()
with open("text.mp4", "w") as text:
    text.write("no video\n" * 200)


def error_of(target):
    try:
        av.open(target, timeout=(2.0, 2.0))
    except av.FFmpegError as error:
        return type(error).__name__, isinstance(error, (OSError, ValueError))


found = {
    "missing file": error_of("none.mp4"),
    "no video": error_of("text.mp4"),
    "nobody listens": error_of(f"tcp://127.0.0.1:{nobody.getsockname()[1]}"),
    "404": error_of(f"http://127.0.0.1:{server.server_port}/none"),
    "unknown protocol": error_of("nope://there"),
    "silent server": error_of(f"tcp://127.0.0.1:{silent.getsockname()[1]}"),
}
print(av.__version__, *(f"{case}: {error}" for case, error in found.items()), sep="\n")
assert found == {
    "missing file": ("FileNotFoundError", True),
    "no video": ("InvalidDataError", True),
    "nobody listens": ("ConnectionRefusedError", True),
    "404": ("HTTPNotFoundError", False),
    "unknown protocol": ("ProtocolNotFoundError", False),
    "silent server": ("ExitError", False),
}
PY
timeout 60 venv/bin/python errors.py
