"""The bus of one host: every process binds a publisher and listens to those of its peers, without a broker.

ZeroMQ over Unix sockets; a process that restarts binds the same address and its peers reconnect by themselves. The
sockets are driven from the event loop's reader callbacks, which spares importing zmq.asyncio.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import zmq

from perishield.bus.codec import decode, encode
from perishield.bus.topics import Topic
from perishield.log import Log
from perishield.model.errors import BusError

T = TypeVar("T")

PEERS = ("node", "ingest", "vision", "server", "live", "transcode")
"""The processes of a node; each listens to all of them."""

_LONGEST_ADDRESS = 100
_HIGH_WATER = 4_000
_DRAIN_AT_ONCE = 256
_HEAD = struct.Struct("!QQ")

log = Log("bus")


class Subscription(Generic[T]):
    """Messages of one topic, newest kept. `async for key, message in subscription`."""

    def __init__(self, bus: LocalBus, topic: Topic[T], key: str | None, size: int) -> None:
        self.topic = topic
        self.key = key
        self.dropped = 0
        self._bus = bus
        self._waiting: deque[tuple[str, T]] = deque()
        self._size = size
        self._news = asyncio.Event()
        self._closed = False

    def offer(self, key: str, message: T) -> None:
        if len(self._waiting) >= self._size:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append((key, message))
        self._news.set()

    async def get(self) -> tuple[str, T]:
        """The oldest message that waits. Raises BusError once the bus is closed."""
        while not self._waiting:
            if self._closed:
                raise BusError(f"bus: subscription to {self.topic.name} is closed", code="bus_closed")
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> tuple[str, T]:
        try:
            return await self.get()
        except BusError:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Subscription[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._bus.forget(self)
            self._news.set()


class LocalBus:
    """One process's end of the local bus. Use from its event loop only."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], run_dir: Path, name: str, peers: Iterable[str]) -> None:
        self.name = name
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._subscriptions: dict[str, list[Subscription[Any]]] = defaultdict(list)
        self._prefixes: dict[bytes, int] = defaultdict(int)
        self._sent: dict[bytes, int] = defaultdict(int)
        self._received: dict[tuple[bytes, int], int] = {}
        self._boot = int.from_bytes(os.urandom(8), "big")
        self._closed = False
        folder = socket_folder(run_dir)
        self._out = context.socket(zmq.PUB)
        self._in = context.socket(zmq.SUB)
        try:
            self._out.set(zmq.SNDHWM, _HIGH_WATER)
            self._out.set(zmq.LINGER, 200)
            self._out.bind(f"ipc://{folder / name}.sock")
            self._in.set(zmq.RCVHWM, _HIGH_WATER)
            self._in.set(zmq.LINGER, 0)
            self._in.set(zmq.RECONNECT_IVL, 20)
            self._in.set(zmq.RECONNECT_IVL_MAX, 500)
            for peer in peers:
                self._in.connect(f"ipc://{folder / peer}.sock")
        except zmq.ZMQError as error:
            self._out.close(0)
            self._in.close(0)
            context.destroy(0)
            raise BusError(
                f"bus: cannot listen in {folder}: {error}; check that the folder is writable", code="bus_unavailable"
            ) from error
        self._loop.add_reader(int(self._in.get(zmq.FD)), self._drain)

    @classmethod
    async def open(cls, run_dir: Path, name: str, peers: Iterable[str] = PEERS) -> LocalBus:
        """Bind as `name` and listen to `peers`. Raises BusError (`bus_unavailable`)."""
        return cls(zmq.Context(io_threads=1), run_dir, name, peers)

    def publish(self, topic: Topic[T], key: str, message: T) -> None:
        """Tell all who listen. Never blocks; a listener that cannot keep up loses messages and knows how many."""
        if self._closed:
            return
        head = f"{topic.name}\0{key}\0".encode()
        number = self._sent[head] = self._sent[head] + 1
        # One frame, not three: each costs the lean process microseconds, and subscriptions match its first bytes.
        self._out.send(b"".join((head, _HEAD.pack(self._boot, number), encode(message))), zmq.NOBLOCK)

    def subscribe(self, topic: Topic[T], key: str | None = None, *, size: int = 64) -> Subscription[T]:
        """Listen to one key of a topic, or to all of it. At most `size` messages wait, the newest."""
        subscription = Subscription(self, topic, key, size)
        self._subscriptions[topic.name].append(subscription)
        prefix = _prefix(topic.name, key)
        self._prefixes[prefix] += 1
        if self._prefixes[prefix] == 1:
            self._in.set(zmq.SUBSCRIBE, prefix)
        self._loop.call_soon(self._drain)
        return subscription

    def forget(self, subscription: Subscription[Any]) -> None:
        """Called by a subscription that closes."""
        listed = self._subscriptions[subscription.topic.name]
        if subscription in listed:
            listed.remove(subscription)
        prefix = _prefix(subscription.topic.name, subscription.key)
        self._prefixes[prefix] -= 1
        if self._prefixes[prefix] <= 0:
            del self._prefixes[prefix]
            if not self._closed:
                self._in.set(zmq.UNSUBSCRIBE, prefix)

    async def close(self) -> None:
        """End all subscriptions and let go of the sockets."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(int(self._in.get(zmq.FD)))
        for subscriptions in list(self._subscriptions.values()):
            for subscription in list(subscriptions):
                subscription.close()
        self._in.close(0)
        self._out.close(200)
        self._context.term()

    def _drain(self) -> None:
        # The socket's descriptor signals edges, not levels: read until nothing is left, in bites that let others run.
        for _ in range(_DRAIN_AT_ONCE):
            if self._closed:
                return
            try:
                frame = self._in.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._deliver(frame)
        self._loop.call_soon(self._drain)

    def _deliver(self, frame: bytes) -> None:
        name_end = frame.find(b"\0")
        key_end = frame.find(b"\0", name_end + 1)
        if name_end < 0 or key_end < 0 or len(frame) < key_end + 1 + _HEAD.size:
            log.warning("bus.garbled", size=len(frame))
            return
        head = frame[: key_end + 1]
        name, key = frame[:name_end].decode(), frame[name_end + 1 : key_end].decode()
        stamp, payload = frame[key_end + 1 : key_end + 1 + _HEAD.size], frame[key_end + 1 + _HEAD.size :]
        boot, number = _HEAD.unpack(stamp)
        last = self._received.get((head, boot))
        self._received[head, boot] = number
        if last is None and len(self._received) > 50_000:
            self._received.clear()
        lost = number - last - 1 if last is not None else 0
        message: Any = None
        for subscription in list(self._subscriptions.get(name, ())):
            if subscription.key is not None and subscription.key != key:
                continue
            if message is None:
                try:
                    message = decode(payload, subscription.topic.kind)
                except BusError as error:
                    log.warning("bus.garbled", topic=name, message=str(error))
                    return
            subscription.dropped += max(0, lost)
            subscription.offer(key, message)


def _prefix(topic: str, key: str | None) -> bytes:
    return f"{topic}\0".encode() if key is None else f"{topic}\0{key}\0".encode()


def socket_folder(run_dir: Path) -> Path:
    """Where the sockets lie: `run_dir`, or a short private stand-in, since a Unix socket's path holds 107 bytes."""
    folder = run_dir.absolute()
    if len(str(folder)) > _LONGEST_ADDRESS - 16:
        # Imported here: both cost milliseconds at the start of a lean process that hardly ever needs them.
        import tempfile
        from hashlib import sha256

        digest = sha256(str(folder).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"perishield-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise BusError(f"bus: {folder} belongs to another user; remove it or set data.dir elsewhere")
    return folder
