"""A hub that serves one model from memory, over the routes that huggingface_hub asks."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0de"


@contextmanager
def hub(name: str, files: Mapping[str, bytes], asked: list[str]) -> Iterator[str]:
    """Serve `files` as the model `name` on loopback, and yield the address. Paths that are asked for go to `asked`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(path)
            headers, body = {"X-Repo-Commit": COMMIT, "Content-Type": "application/json"}, b""
            if path.startswith(f"/api/models/{name}/tree/"):
                body = json.dumps([_entry(file, data) for file, data in files.items()]).encode()
            elif path.startswith(f"/api/models/{name}"):
                siblings = [{"rfilename": file} for file in files]
                body = json.dumps({"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}).encode()
            elif (file := path.removeprefix(f"/{name}/resolve/{COMMIT}/")) in files:
                body = files[file]
                headers["ETag"] = f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
            else:
                headers["X-Error-Code"] = "RepoNotFound"
            self.send_response(404 if "X-Error-Code" in headers else 200)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


def _entry(file: str, data: bytes) -> Mapping[str, object]:
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": file, "size": len(data), "oid": digest}
