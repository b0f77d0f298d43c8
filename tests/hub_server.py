"""A Hub on loopback: the part of the Hugging Face Hub's protocol that fetching and publishing a model uses."""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import torch
from safetensors.torch import save

TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<commit>\w+)")
RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<commit>\w+)/(?P<path>.+)")
PUBLISH = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/(?P<what>preupload|commit)/main")
CHUNK = 1 << 16
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = save({"weight": torch.arange(20 * CHUNK // 4, dtype=torch.int32)})
"""A file of 20 chunks."""


def sha256(data: bytes) -> str:
    """Hexadecimal digest, by which the Hub knows a large file."""
    return hashlib.sha256(data).hexdigest()


@dataclass
class Hub:
    """What the server holds, what it does wrong, and what it was asked.

    Attributes:
        repos: (`org/repo`, commit) -> path -> content.
        refused: `org/repo` -> status and the Hub's word for it in `X-Error-Code`.
        cut: contents of large files -> after how many bytes the connection breaks, once.
        stall: the same, but the connection falls silent, once.
        corrupt: whether large files arrive with a wrong byte.
        lost: paths that are listed, but gone.
        seconds_per_chunk: how slow large files are.
        requests: (method, path, Range, Authorization) of every request so far.
    """

    repos: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    stall: dict[str, int] = field(default_factory=dict)
    corrupt: bool = False
    lost: set[str] = field(default_factory=set)
    seconds_per_chunk: float = 0.0
    requests: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    url: str = ""

    def ranges(self) -> list[str | None]:
        """The Range header of every request for a large file's bytes."""
        return [given for method, path, given, _ in self.requests if method == "GET" and path.startswith("/store/")]

    def blobs(self) -> dict[str, bytes]:
        """Large files by their SHA-256."""
        return {sha256(data): data for files in self.repos.values() for data in files.values()}


@contextmanager
def serve(hub: Hub) -> Iterator[str]:
    """Run the server; yields its address."""
    handler = type("Handler", (HubHandler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub.url
        server.shutdown()


def is_large(path: str) -> bool:
    """Whether a file is kept in the store (Git LFS), not in Git itself."""
    return path.endswith((".safetensors", ".bin", ".onnx"))


class HubHandler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.note()
        path = urlsplit(self.path).path
        if (match := PUBLISH.fullmatch(path)) and match["repo"] in self.hub.refused:
            return self.refuse(*self.hub.refused[match["repo"]])
        if match := PUBLISH.fullmatch(path):
            return self.preupload(body) if match["what"] == "preupload" else self.commit(match["repo"], body)
        if path == "/api/validate-yaml":
            return self.send_json({"errors": [], "warnings": []})
        return self.send_json({"url": f"{self.hub.url}/{json.loads(body)['organization']}/{json.loads(body)['name']}"})

    def note(self) -> None:
        given = self.headers.get("Range"), self.headers.get("Authorization")
        self.hub.requests.append((self.command, self.path, *given))

    def answer(self) -> None:
        self.note()
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/store/"):
            return self.send_blob(path.removeprefix("/store/"))
        if path == "/":
            return self.send(200, b"", {})
        match = TREE.fullmatch(path) or RESOLVE.fullmatch(path)
        if match is None:
            return self.refuse(404, "EntryNotFound")
        if match["repo"] in self.hub.refused:
            return self.refuse(*self.hub.refused[match["repo"]])
        if not any(repo == match["repo"] for repo, _ in self.hub.repos):
            return self.refuse(401, "RepoNotFound")
        files = self.hub.repos.get((match["repo"], match["commit"]))
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        if match.re is TREE:
            return self.send_tree(files)
        if match["path"] not in files or match["path"] in self.hub.lost:
            return self.refuse(404, "EntryNotFound")
        return self.send_file(match["commit"], match["path"], files[match["path"]])

    def refuse(self, status: int, code: str) -> None:
        self.send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def send_tree(self, files: dict[str, bytes]) -> None:
        assert parse_qs(urlsplit(self.path).query)["recursive"][0].lower() == "true"
        entries = []
        for path, data in files.items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            if is_large(path):
                entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
            entries.append(entry)
        self.send_json(entries)

    def send_file(self, commit: str, path: str, data: bytes) -> None:
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        if not is_large(path):
            return self.send(200, data, headers)
        # Large files come from a store on another host, to which no token must go.
        store = self.hub.url.replace("127.0.0.1", "localhost")
        linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{sha256(data)}"'}
        return self.send(302, b"", {**headers, **linked, "Location": f"{store}/store/{sha256(data)}"})

    def send_blob(self, name: str) -> None:
        data = self.hub.blobs()[name]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        body = data[start:]
        if self.hub.corrupt:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        cut, stall = self.hub.cut.pop(name, None), self.hub.stall.pop(name, None)
        for at in range(0, len(body), CHUNK):
            if stall is not None and at >= stall:
                time.sleep(1)
                self.close_connection = True
                return
            if cut is not None and at >= cut:
                self.close_connection = True
                return
            try:
                self.wfile.write(body[at : at + CHUNK])
            except OSError:  # the client has gone
                return
            time.sleep(self.hub.seconds_per_chunk)

    def preupload(self, body: bytes) -> None:
        paths = [file["path"] for file in json.loads(body)["files"]]
        self.send_json({"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})

    def commit(self, repo: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        commit = hashlib.sha1(body).hexdigest()
        self.hub.repos[repo, commit] = files
        self.send_json({"commitUrl": f"{self.hub.url}/{repo}/commit/{commit}", "commitOid": commit})

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
