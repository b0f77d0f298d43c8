"""What visitors can send, and what they can make the server fetch: everything has an end, and says so."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tryon.web import fetching, files

MEGABYTE = bytes(1024**2)


class Web(BaseHTTPRequestHandler):
    """A host on the web; `served` counts what it sent."""

    picture: bytes
    served: int
    asked: list

    def do_GET(self) -> None:
        """One path for each kind of mischief."""
        self.asked.append((self.path, self.headers["Host"].split(":")[0]))
        kind = self.path.split(".")[0].strip("/")
        status, headers = {
            "picture": (200, {"Content-Length": str(len(self.picture))}),
            "missing": (404, {"Content-Length": "0"}),
            "huge": (200, {"Content-Length": str(5 * 1024**3)}),
            "moved": (302, {"Location": "/picture.webp", "Content-Length": "0"}),
            "inside": (302, {"Location": "http://169.254.169.254/latest.png", "Content-Length": "0"}),
            "file": (302, {"Location": "file:///etc/passwd", "Content-Length": "0"}),
            "nowhere": (302, {"Location": "http://pictures.example:none/", "Content-Length": "0"}),
            "round": (302, {"Location": self.path, "Content-Length": "0"}),
            "onward": (302, {"Location": f"{self.path}x", "Content-Length": "0"}),
            "packed": (200, {"Content-Encoding": "gzip", "Content-Length": str(len(self.picture))}),
        }.get(kind, (200, {}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if kind in ("picture", "packed"):
            self.wfile.write(self.picture)
        while kind in ("huge", "endless", "slow"):
            type(self).served += self.wfile.write(MEGABYTE if kind != "slow" else b"x")
            if kind == "slow":
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingTCPServer):
    """Takes no notice of clients that leave."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(person_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Web]]:
    """A host named pictures.example, which is here, and is taken for public; no other name is known."""
    handler = type("Handler", (Web,), {"picture": person_file.read_bytes(), "served": 0, "asked": []})
    names = []

    async def address(host: str) -> str:
        names.append(host)
        return "127.0.0.1" if host == "pictures.example" else await public_address(host)

    public_address = fetching.public_address
    monkeypatch.setattr(fetching, "public_address", address)
    handler.names = names
    with Server(("127.0.0.1", 0), handler) as server:
        handler.url = f"http://pictures.example:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler
        server.shutdown()


@pytest.fixture
def ask(app_url: str):
    """What `/tryon` says to two addresses of pictures."""
    client = Client(app_url, verbose=False)

    def predict(person: str, garment: str | None = None) -> dict:
        pictures = [{"path": address, "meta": {"_type": "gradio.FileData"}} for address in (person, garment or person)]
        return client.predict(*pictures, "auto", 1, 0, 1, None, "small", api_name="/tryon")[1]

    return predict


def refusal(ask, address: str) -> str:
    """The sentence that an address is refused with."""
    with pytest.raises(AppError) as error:
        ask(address)
    (message,) = error.value.args[:1]
    assert "\n" not in message
    assert message.endswith(f". {fetching.INSTEAD}")
    return message


def test_a_picture_is_fetched_by_its_address_also_where_it_moved(ask, web):
    info = ask(f"{web.url}/picture.webp", f"{web.url}/moved.webp")
    assert info["seed"] == 1
    assert ("/picture.webp", "pictures.example") in web.asked
    assert ("/moved.webp", "pictures.example") in web.asked


def test_the_address_that_was_checked_is_the_one_that_is_used(ask, web):
    ask(f"{web.url}/picture.webp?{time.time()}", f"{web.url}/picture.webp?{time.time()}")
    assert web.names == ["pictures.example"] * len(web.asked)  # the name itself leads nowhere


@pytest.mark.parametrize("kind", ["huge", "endless"])
def test_what_is_too_large_is_refused_while_it_comes(ask, web, kind: str):
    assert "larger than 40 MB" in refusal(ask, f"{web.url}/{kind}.png")
    assert web.served < 2 * files.MAX_FILE_SIZE
    assert not list(files.folder().rglob(f"{kind}.png"))


def test_what_takes_too_long_is_given_up(ask, web, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fetching, "MAX_SECONDS", 1)
    assert "within 1 seconds" in refusal(ask, f"{web.url}/slow.png")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.png", "no picture at this address (status 404)"),
        ("inside.png", "169.254.169.254 is not a public host"),
        ("file.png", "not on the web"),
        ("nowhere.png", "not on the web"),
    ],
)
def test_what_leads_elsewhere_is_refused(ask, web, path: str, message: str):
    assert message in refusal(ask, f"{web.url}/{path}")


@pytest.mark.parametrize("path", ["round.png", "onward.png"])
def test_redirects_without_an_end_are_given_up(ask, web, path: str):
    assert "leads on to others, more than 5 times" in refusal(ask, f"{web.url}/{path}")
    assert len(web.asked) == 1 + fetching.MAX_REDIRECTS


def test_all_redirects_together_have_one_limit_of_time(ask, web, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fetching, "MAX_SECONDS", 1)
    monkeypatch.setattr(fetching, "MAX_REDIRECTS", 10**6)
    assert "within 1 seconds" in refusal(ask, f"{web.url}/round.png")


def test_what_is_packed_is_not_unpacked(ask, web):
    ask(f"{web.url}/packed.webp")  # it only said so


def test_private_hosts_are_refused(ask, app_url: str):
    numbers = ("127.0.0.1", "0x7f.1", "2130706433", "0.0.0.0", "10.0.0.1", "100.100.100.200", "169.254.169.254")
    for name in ("localhost", *numbers, "[::1]", "[::ffff:127.0.0.1]", "[fd00::1]"):
        address = f"http://{name}:{httpx.URL(app_url).port}/theme.css"
        assert "is not a public host" in refusal(ask, address)
    assert not list(files.folder().rglob("theme.css"))


def test_a_name_for_a_private_host_beside_a_public_one_is_refused(ask, monkeypatch: pytest.MonkeyPatch):
    lookup = socket.getaddrinfo

    def mixed(host: str, *rest: object, **more: object) -> list:
        if host != "both.example":
            return lookup(host, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    assert "both.example is not a public host" in refusal(ask, "http://both.example/a.png")


def test_a_host_that_does_not_exist_is_named(ask, monkeypatch: pytest.MonkeyPatch):
    assert "no host nowhere.invalid" in refusal(ask, "http://nowhere.invalid/a.png")


def test_large_files_are_refused(app_url: str):
    answer = httpx.post(f"{app_url}gradio_api/upload", files={"files": ("big.png", MEGABYTE * 41)}, timeout=60)
    assert answer.status_code == 413


def test_large_requests_are_refused(app_url: str):
    """Pictures in the text of a request too, and many files at once."""

    def body() -> Iterator[bytes]:
        for _ in range(files.MAX_REQUEST_SIZE // 1024**2 + 1):
            yield MEGABYTE

    before = set(files.folder().rglob("*"))
    many = [("files", (f"{number}.png", MEGABYTE * 39)) for number in range(5)]
    url, text = f"{app_url}gradio_api/", {"Content-Type": "application/json"}
    for answer in (
        httpx.post(f"{url}call/tryon", content=body(), headers=text, timeout=60),
        httpx.post(f"{url}upload", files=many, timeout=60),
    ):
        assert answer.status_code == 413
        assert "Traceback" not in answer.text
    assert set(files.folder().rglob("*")) == before
