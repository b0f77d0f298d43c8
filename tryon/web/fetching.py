"""Pictures that programs name by their address: only from public hosts, and never more or longer than they need.

gradio itself refuses private addresses, but reads what it gets without an end, and unpacks it.
"""

import asyncio
import ipaddress
import socket

import anyio
import gradio as gr
import httpx
from gradio import processing_utils
from safehttpx import matches_domain_whitelist

from tryon.web.files import MAX_FILE_SIZE

MAX_SECONDS = 20  # a fetch, with all its redirects, holds up everybody who waits behind it
MAX_REDIRECTS = 5
INSTEAD = "Use another address, or send the file itself."


class PublicTransport(httpx.AsyncBaseTransport):
    """Answers of public hosts as they were sent, read within the limits; follows redirects itself.

    A host's name is looked up once, and the connection goes to the address that was checked: a name that means
    another address a moment later gains nothing.

    Raises:
        gr.Error: a sentence for the visitor.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See above."""
        host = request.url.host
        try:
            with anyio.fail_after(MAX_SECONDS):
                for _ in range(1 + MAX_REDIRECTS):
                    host = request.url.host
                    response = await _answer(await _pinned(request))
                    if not response.has_redirect_location:
                        return response
                    request = _redirected(request, response.headers["Location"])
            message = f"This address leads on to others, more than {MAX_REDIRECTS} times."
        except TimeoutError:
            message = f"{host} did not send the picture within {MAX_SECONDS} seconds."
        except httpx.HTTPError:
            message = f"{host} cannot be reached."
        except Refusal as refusal:
            message = str(refusal)
        raise gr.Error(f"{message} {INSTEAD}", print_exception=False)


class Refusal(Exception):
    """What is wrong with an address or with what lies there."""


def limit_fetches() -> None:
    """Let gradio fetch by `PublicTransport`, in this whole process."""
    processing_utils.async_transport = PublicTransport()


async def public_address(host: str) -> str:
    """The IP address of a host.

    Raises:
        Refusal: there is none, or one of them is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refusal(f"There is no host {host}.") from None
    addresses = [entry[4][0] for entry in found]
    for address in map(ipaddress.ip_address, addresses):
        if not address.is_global or address.is_multicast or getattr(address, "ipv4_mapped", None):
            raise Refusal(f"{host} is not a public host.")
    return addresses[0]


async def _pinned(request: httpx.Request) -> httpx.Request:
    """The request, addressed to the IP address that was checked."""
    url, host = request.url, request.url.host
    if not matches_domain_whitelist(host, processing_utils.PUBLIC_HOSTNAME_WHITELIST):  # a Space's way to the Hub
        url = url.copy_with(host=await public_address(host))
    headers = {**request.headers, "Accept-Encoding": "identity"}
    return httpx.Request("GET", url, headers=headers, extensions={**request.extensions, "sni_hostname": host})


def _redirected(request: httpx.Request, location: str) -> httpx.Request:
    """The request for the address that an answer leads to."""
    try:
        url = request.url.join(location)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise Refusal("This address leads to something that is not on the web.")
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    return httpx.Request("GET", url, headers=headers, extensions=request.extensions)


async def _answer(request: httpx.Request) -> httpx.Response:
    """The answer with its body, packed as it came."""
    async with httpx.AsyncHTTPTransport() as transport:
        response = await transport.handle_async_request(request)
        if response.has_redirect_location:
            return httpx.Response(response.status_code, headers={"Location": response.headers["Location"]})
        if response.status_code != 200:
            raise Refusal(f"There is no picture at this address (status {response.status_code}).")
        body = bytearray()
        size = response.headers.get("Content-Length", "")
        if size.isdecimal() and int(size) > MAX_FILE_SIZE:
            raise Refusal(_TOO_LARGE)
        async for part in response.stream:
            body += part
            if len(body) > MAX_FILE_SIZE:
                raise Refusal(_TOO_LARGE)
        return httpx.Response(200, content=bytes(body))


_TOO_LARGE = f"The file at this address is larger than {MAX_FILE_SIZE // 1024**2} MB."
