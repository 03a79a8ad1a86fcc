"""A client's connection: HTTP/1.1 on asyncio, kept alive as SDKs keep theirs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

BROKEN = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)
"""What `Connection.post` raises when an answer does not come to its end, or is not HTTP."""
_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


class Connection:
    """Opened when it is first needed, and again when the other side has closed it; one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, once its last byte has come; raises one of BROKEN.

        Whatever ends the wait for it closes the connection as well.
        """
        try:
            reader, writer = await self._opened()
            writer.write(_request(path, body, {"Host": f"{_HOST}:{self._port}", **headers}))
            answer = await _read(reader)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Close it, if it is open."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(_HOST, self._port)
        return self._streams


def _request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def _read(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    fields = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunked(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        raise ValueError("the answer does not say where it ends")
    return Answer(status=int(first.split()[1]), headers=headers, body=body)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(chunks)
