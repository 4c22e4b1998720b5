"""Spotify as its documentation has it, on a real socket, for this process, its children and the servers it starts.

A proxy that ends TLS itself, with a certificate authority of its own: real clients reach it because `environment` names
it as their proxy and its certificate as one to trust. Every host but Spotify's two, and those that a test puts into
`hosts`, is refused with 502.
"""

from __future__ import annotations

import atexit
import base64
import json
import secrets
import shutil
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from spotify_catalogue import Catalogue, Json

API, ACCOUNTS = "api.spotify.com", "accounts.spotify.com"


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Their names in small letters."""
    body: bytes


@dataclass(frozen=True)
class Response:
    """What it is told; `broken`: half of it, and then the connection ends. `after`: seconds of silence before."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    after: float = 0.0


class SpotifyServer(Catalogue):
    """The stand-in, serving while it is entered; fill its catalogue with the methods `add_…`."""

    def __init__(self) -> None:
        super().__init__()
        self.client_id, self.client_secret = secrets.token_hex(16), secrets.token_hex(16)
        self.hosts: dict[str, Callable[[Request], Response]] = {API: self._api, ACCOUNTS: self._accounts}
        """Who answers for a host."""
        self.requests: list[Request] = []
        self.dead_credentials = False
        self.development_mode = False
        """True: refuse what Spotify refuses to new apps since February 2026."""
        self.item_key = "track"
        """What a playlist's entry holds its track under; since February 2026 `item`."""
        self.uses_a_token: int | None = None
        """How many questions a token is good for; None: any number."""
        self._tokens: dict[str, int] = {}
        self._faults: dict[str, deque[Response | None]] = {API: deque(), ACCOUNTS: deque()}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def __enter__(self) -> SpotifyServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self._server.stand_in = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a client here, by requests, urllib or curl; yt-dlp trusts certifi alone: give it http."""
        proxy = f"http://127.0.0.1:{self._server.server_port}"
        names = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1,localhost,::1"}
        authority = str(_authority().file)
        trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), authority)
        return names | {name.lower(): value for name, value in names.items()} | trust

    @property
    def credentials(self) -> dict[str, str]:
        """The variables that name a Spotify app."""
        return {"SPOTIFY_CLIENT_ID": self.client_id, "SPOTIFY_CLIENT_SECRET": self.client_secret}

    def fault(
        self, status: int = 200, times: int = 1, *, after: int = 0, host: str = API, headers: dict[str, str] | None = None,
        broken: bool = False, silent: float = 0.0,
    ) -> None:  # fmt: skip
        """After `after` more good answers of that host, spoil as many as `times`; those are spoilt in order."""
        spoilt = Response(b"", status, headers or {}, broken, silent)
        self._faults[host].extend([None] * after + [spoilt] * times)

    def asked(self, host: str = API) -> list[str]:
        """Return the paths that were asked for at a host."""
        return [request.path for request in self.requests if request.host == host]

    def answer(self, request: Request) -> Response:
        """Return what a request is told."""
        with self._lock:
            self.requests.append(request)
            faults = self._faults.get(request.host)
            spoilt = faults.popleft() if faults else None
        if spoilt is None or (spoilt.status == 200 and not spoilt.headers):
            response = self.hosts[request.host](request)
        else:
            response = _error(spoilt.status, "spoilt")
        if spoilt is None:
            return response
        self._closing.wait(spoilt.after)
        return Response(response.body, response.status, response.headers | spoilt.headers, spoilt.broken)

    def _accounts(self, request: Request) -> Response:
        given = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if request.path != "/api/token" or request.method != "POST":
            return _error(404, "Not found.")
        if dict(parse_qsl(request.body.decode())).get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, 400)
        if self.dead_credentials or request.headers.get("authorization") != f"Basic {given}":
            return _json({"error": "invalid_client", "error_description": "Invalid client"}, 400)
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = 0
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _api(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            if token not in self._tokens:
                return _error(401, "Invalid access token")
            self._tokens[token] += 1
            if self.uses_a_token is not None and self._tokens[token] > self.uses_a_token:
                return _error(401, "The access token expired")
        match request.path.strip("/").split("/")[1:]:
            case ["tracks"] if self.development_mode:
                return _error(403, "Forbidden")
            case ["tracks"]:
                return _json({"tracks": [self.tracks.get(key) for key in request.query["ids"].split(",")]})
            case ["artists", _, "top-tracks"] if self.development_mode:
                return _error(403, "Forbidden")
            case ["artists", key, "top-tracks"] if key in self.artists:
                return _json({"tracks": self.top_tracks[key]})
            case ["playlists", _, "items"] if self.development_mode:
                return _error(403, "Forbidden")
            case ["playlists", key, "items" | "tracks"] if key in self.playlists:
                wrapped = [self._entry(entry) for entry in self.playlist_entries[key]]
                return _json(_page(request, wrapped, most=50))
            case ["albums", key, "tracks"] if key in self.albums:
                return _json(_page(request, self.album_tracks(key), most=50))
            case ["albums", key] if key in self.albums:
                inner = Request("GET", API, f"/v1/albums/{key}/tracks", {"limit": "50"}, {}, b"")
                return _json(self.albums[key] | {"tracks": _page(inner, self.album_tracks(key), most=50)})
            case ["tracks" | "artists" | "playlists" as kind, key] if key in getattr(self, kind):
                return _json(getattr(self, kind)[key])
            case ["search"]:
                most = 10 if self.development_mode else 50
                if int(request.query["limit"]) > most:
                    return _error(400, "Invalid limit")
                return _json({"tracks": _page(request, self.found(request.query["q"]), most=most)})
        return _error(404, "Resource not found")

    def _entry(self, held: Json | None) -> Json:
        local = bool(held and held.get("is_local"))
        entry: Json = {
            "added_at": "2024-05-06T07:08:09Z", "added_by": {"id": "someone", "type": "user"}, "is_local": local,
            "primary_color": None, self.item_key: held, "video_thumbnail": {"url": None},
        }  # fmt: skip
        return entry


def _page(request: Request, items: list[Any], most: int) -> Json:
    """Return the page of a list that a request asks for, as a paging object."""
    limit, offset = min(int(request.query.get("limit", 20)), most), int(request.query.get("offset", 0))

    def address(start: int) -> str:
        return f"https://{API}{request.path}?{urlencode(request.query | {'offset': start, 'limit': limit})}"

    return {
        "href": address(offset), "limit": limit, "offset": offset, "total": len(items),
        "next": address(offset + limit) if offset + limit < len(items) else None,
        "previous": address(max(offset - limit, 0)) if offset else None, "items": items[offset : offset + limit],
    }  # fmt: skip


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value).encode(), status, {"Content-Type": "application/json; charset=utf-8"})


def _error(status: int, message: str) -> Response:
    return _json({"error": {"status": status, "message": message}}, status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.rpartition(":")[0]
        if self.host not in self.server.stand_in.hosts:  # type: ignore[attr-defined]
            self.send_error(502)
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        try:
            self.connection = _context(self.host).wrap_socket(self.connection, server_side=True)
        except OSError:
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False  # though http.client says CONNECT in HTTP/1.0

    def _answer(self) -> None:
        url = urlsplit(self.path)
        stand_in = self.server.stand_in  # type: ignore[attr-defined]
        host = self.host or url.hostname or ""
        if host not in stand_in.hosts:
            self.send_error(502)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, host, url.path, dict(parse_qsl(url.query)), headers, body)
        response = stand_in.answer(request)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        whole = b"" if self.command == "HEAD" else response.body
        self.wfile.write(whole[: len(whole) // 2] if response.broken else whole)
        self.close_connection = self.close_connection or response.broken

    do_GET = do_POST = do_HEAD = _answer

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client left
            return

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        pass


@dataclass(frozen=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path


@cache
def _authority() -> _Authority:
    """Return this process's certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Stand-in for Spotify")])
    certificate = (
        _certificate(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = Path(tempfile.mkdtemp(prefix="spotify-stand-in-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "authority.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return _Authority(key, certificate, file)


@cache
def _context(host: str) -> ssl.SSLContext:
    """Return what serves TLS as `host`."""
    authority = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = authority.file.with_name(f"{host}.pem")
    file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
