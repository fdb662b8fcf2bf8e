"""Content by reference: what is fetched, what is refused, and what may be tried again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from roggia_ingest.adapters.addresses import GuardedResolver, PrivateAddressError, is_public
from roggia_ingest.adapters.fetch import ContentFetcher, FetchPolicy
from roggia_ingest.errors import ContentError, ContentUnavailableError, PolicyError
from roggia_schemas.events import ContentRef

from tests.support.processes import free_port

BODY = b"# Content\n\nBy reference.\n"
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server:
    """A content server on a free port, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = free_port()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """By path: the body, a status, a redirect, an endless or a slow body."""
        self.asked.append(request.path)
        name = request.path.strip("/")
        if name.isdigit():
            return web.Response(status=int(name))
        if name == "inside":
            raise web.HTTPFound("/ok")
        if name == "outside":
            raise web.HTTPFound("http://evil.example.org/ok")
        if name == "other":
            raise web.HTTPFound(f"http://localhost:{self.port}/ok")
        if name == "loop":
            raise web.HTTPFound("/loop")
        if name == "slow":
            await asyncio.sleep(0.4)
        if name in ("endless", "compressed"):
            return await self._stream(request, name)
        return web.Response(body=BODY)

    async def _stream(self, request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse()
        if name == "compressed":
            response.headers["content-encoding"] = "gzip"
        await response.prepare(request)
        for _ in range(1 if name == "compressed" else 10_000):
            try:
                await response.write(b"x" * 65_536)
            except ConnectionError:
                self.asked.append("cut")
                break
        return response

    def ref(self, path: str, size: int = len(BODY), sha256: str = SHA256) -> ContentRef:
        """A reference to a path here."""
        return ContentRef(uri=f"http://127.0.0.1:{self.port}{path}", sha256=sha256, size=size)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A running content server."""
    made = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def fetcher(server: Server, tmp_path: Path) -> AsyncIterator[ContentFetcher]:
    """May fetch from that server and from one folder."""
    policy = FetchPolicy(("http", "file"), (f"127.0.0.1:{server.port}",), (tmp_path / "in",), True, 0.2)
    (tmp_path / "in").mkdir()
    fetcher = ContentFetcher(policy)
    yield fetcher
    await fetcher.stop()


async def test_content_is_fetched_and_redirects_inside_the_host_are_followed(
    fetcher: ContentFetcher, server: Server
) -> None:
    """The bytes as they are."""
    assert await fetcher.fetch(server.ref("/ok")) == BODY
    assert await fetcher.fetch(server.ref("/inside")) == BODY


async def test_a_redirect_to_another_host_is_refused_even_if_that_is_allowed(server: Server) -> None:
    """A host answers for itself alone: what may be fetched there is not for another one to choose."""
    hosts = (f"127.0.0.1:{server.port}", f"localhost:{server.port}")
    fetcher = ContentFetcher(FetchPolicy(("http",), hosts, (), True, 1))
    with pytest.raises(PolicyError, match="only the same host"):
        await fetcher.fetch(server.ref("/other"))
    assert server.asked == ["/other"]
    await fetcher.stop()


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
async def test_a_server_in_trouble_is_tried_again(fetcher: ContentFetcher, server: Server, status: int) -> None:
    """Not the publisher's fault: unavailable, the loop waits."""
    with pytest.raises(ContentUnavailableError, match=str(status)):
        await fetcher.fetch(server.ref(f"/{status}"))


async def test_a_slow_or_absent_server_is_tried_again(fetcher: ContentFetcher, server: Server) -> None:
    """Timeout and refused connection alike."""
    with pytest.raises(ContentUnavailableError, match=r"0\.2 s"):
        await fetcher.fetch(server.ref("/slow"))
    gone = free_port()
    other = ContentFetcher(FetchPolicy(("http",), (f"127.0.0.1:{gone}",), (), True, 1))
    with pytest.raises(ContentUnavailableError):
        await other.fetch(ContentRef(uri=f"http://127.0.0.1:{gone}/a", sha256=SHA256, size=1))
    await other.stop()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_missing_content_is_a_dead_letter(fetcher: ContentFetcher, server: Server, status: int) -> None:
    """It will not come back by waiting; the field is the URI."""
    with pytest.raises(ContentError, match=str(status)) as caught:
        await fetcher.fetch(server.ref(f"/{status}"))
    assert caught.value.field == "content_ref.uri"


async def test_size_and_hash_are_checked(fetcher: ContentFetcher, server: Server) -> None:
    """Against the header first, and the bytes after."""
    for ref, field in [
        (server.ref("/ok", size=5), "content_ref.size"),
        (server.ref("/ok", sha256="0" * 64), "content_ref.sha256"),
    ]:
        with pytest.raises(ContentError) as caught:
            await fetcher.fetch(ref)
        assert caught.value.field == field


async def test_an_endless_body_is_cut_off_at_the_size(fetcher: ContentFetcher, server: Server) -> None:
    """The server sends 650 MB without a length; we take no more than the event says, and hang up."""
    with pytest.raises(ContentError, match="more than"):
        await fetcher.fetch(server.ref("/endless", size=100_000))


async def test_compressed_answers_are_not_unpacked(fetcher: ContentFetcher, server: Server) -> None:
    """A zip bomb stays as small as it travels: size and hash are those of the bytes sent."""
    sent = b"x" * 65_536
    ref = server.ref("/compressed", size=len(sent), sha256=hashlib.sha256(sent).hexdigest())
    assert await fetcher.fetch(ref) == sent


@pytest.mark.parametrize("path", ["/outside", "/loop"])
async def test_redirects_elsewhere_or_without_end_are_refused(
    fetcher: ContentFetcher, server: Server, path: str
) -> None:
    """Another host is not asked, whatever the first one says."""
    with pytest.raises((PolicyError, ContentError)):
        await fetcher.fetch(server.ref(path))


async def test_a_private_address_is_refused_before_anything_is_sent(server: Server) -> None:
    """By literal, and by a name that resolves to it, although the host is on the list."""
    hosts = (f"127.0.0.1:{server.port}", f"localhost:{server.port}")
    strict = ContentFetcher(FetchPolicy(("http",), hosts, (), False, 2))
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(PolicyError, match="private"):
            await strict.fetch(ContentRef(uri=f"http://{host}:{server.port}/ok", sha256=SHA256, size=len(BODY)))
    await strict.stop()
    assert server.asked == []


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    """The check is on the answer that is connected to, all of it."""

    class Resolver:
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
            return [{"host": "93.184.216.34"}, {"host": "10.0.0.1"}]

    with pytest.raises(PrivateAddressError, match=r"10\.0\.0\.1"):
        await GuardedResolver(Resolver()).resolve("content.example.org")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "::",
    ],
)
def test_what_counts_as_private(address: str) -> None:
    """Loopback, private, link-local, shared, multicast, unspecified, and what is mapped onto them."""
    assert not is_public(address)


def test_what_counts_as_public() -> None:
    """Ordinary addresses of both families."""
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


async def test_files_are_read_below_the_allowed_folder_alone(fetcher: ContentFetcher, tmp_path: Path) -> None:
    """A path with .. and a symbolic link that lead outside are refused; a file inside is read."""
    inside, outside = tmp_path / "in" / "ü a.md", tmp_path / "secret.md"
    inside.write_bytes(BODY)
    outside.write_bytes(BODY)
    (tmp_path / "in" / "link.md").symlink_to(outside)

    def ref(uri: str) -> ContentRef:
        return ContentRef(uri=uri, sha256=SHA256, size=len(BODY))

    assert await fetcher.fetch(ref(inside.as_uri())) == BODY
    for uri in (
        outside.as_uri(),
        f"{(tmp_path / 'in').as_uri()}/../secret.md",
        f"{(tmp_path / 'in').as_uri()}/%2e%2e/secret.md",
        (tmp_path / "in" / "link.md").as_uri(),
    ):
        with pytest.raises(PolicyError, match="outside"):
            await fetcher.fetch(ref(uri))
    with pytest.raises(ContentError, match="not a file"):
        await fetcher.fetch(ref((tmp_path / "in" / "none.md").as_uri()))
