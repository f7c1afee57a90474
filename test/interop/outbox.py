"""A device that keeps its outbox in a file, written from docs/protocol.md alone, with `websockets` and `fastavro`.

usage: outbox.py WS_URL SCHEMA_FILE DEVICE FILE START_MS [--nameless]
Measures until SIGTERM, and ends when everything is acknowledged. FILE holds what outlives it: kill it at any time and
start it again. Its readings lie 10 ms apart, from START_MS on. With --nameless it connects without an outbox id. What it reports goes to FILE.reports, a line each.
"""

import asyncio
import io
import json
import os
import random
import signal
import sys
import uuid

import fastavro
import websockets

ws_url, schema_file, device, path = sys.argv[1:5]
start_ms = int(sys.argv[5])
nameless = "--nameless" in sys.argv[6:]
schema = fastavro.parse_schema(json.load(open(schema_file, encoding="utf8")))
canonical = fastavro.schema.to_parsing_canonical_form(schema)
header = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
PERIOD_S = 0.004


class Outbox:
    """The state of docs/protocol.md, "After a lost connection"; all of it but `sent` is in the file."""

    def __init__(self):
        try:
            with open(path, encoding="utf8") as file:
                saved = json.load(file)
        except FileNotFoundError:
            saved = {"outbox": uuid.uuid4().hex, "epoch": None, "base": 0, "kept": [], "made": 0}
        self.id = saved["outbox"]
        self.epoch = saved["epoch"]
        self.base = saved["base"]
        self.kept = [bytes.fromhex(frame) for frame in saved["kept"]]
        # How many were measured in all.
        self.made = saved["made"]
        # Any of them may have been sent before the restart.
        self.sent = len(self.kept)

    def save(self):
        """On disk under its name, whole, when this returns."""
        state = {
            "outbox": self.id,
            "epoch": self.epoch,
            "base": self.base,
            "kept": [frame.hex() for frame in self.kept],
            "made": self.made,
        }
        with open(path + ".new", "w", encoding="utf8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def add(self, frame):
        self.kept.append(frame)
        self.made += 1
        self.save()

    def drop(self, count):
        del self.kept[:count]
        self.sent -= count
        self.base += count

    def welcome(self, epoch, seq):
        if epoch == self.epoch and self.base <= seq <= self.base + self.sent:
            self.drop(seq - self.base)
        elif epoch == self.epoch:
            report(f"welcomed at {seq}, expected {self.base} to {self.base + self.sent}")
        self.epoch, self.base, self.sent = epoch, seq, 0
        self.save()

    def ack(self, seq):
        self.drop(seq - self.base)
        self.save()


def report(what):
    with open(path + ".reports", "a", encoding="utf8") as file:
        file.write(what + "\n")


def measure(outbox):
    number = outbox.made
    reading = {"time": start_ms + number * 10, "temperature": float(number), "ok": True}
    missing = {"humidity": None, "pressure": None, "battery": None}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, {"readings": [{**reading, **missing}]})
    return header + body.getvalue()


async def connection(outbox, news):
    """One connection, until it ends. Returns its close code."""
    query = f"device={device}" + ("" if nameless else f"&outbox={outbox.id}")
    async with websockets.connect(f"{ws_url}/v1/ingest?{query}", compression=None) as socket:
        window = 0

        async def send():
            while True:
                while outbox.sent < min(len(outbox.kept), window):
                    frame = outbox.kept[outbox.sent]
                    outbox.sent += 1
                    await socket.send(frame)
                news.clear()
                await news.wait()

        sending = None
        try:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "welcome":
                    outbox.welcome(message["epoch"], message["seq"])
                    window = message["maxUnacked"]
                    sending = asyncio.create_task(send())
                elif message["type"] == "ack":
                    outbox.ack(message["seq"])
                    news.set()
                elif message["type"] == "reject":
                    report(f"refused: {text}")
        finally:
            if sending is not None:
                sending.cancel()
        return socket.close_code


async def main():
    outbox, news, stopping = Outbox(), asyncio.Event(), asyncio.Event()
    outbox.save()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)

    async def connect():
        while True:
            try:
                code = await connection(outbox, news)
            except (OSError, websockets.WebSocketException):
                code = 1006
            if code is not None and code >= 4500:
                report(f"closed with {code}")
                sys.exit(1)
            await asyncio.sleep(0.05 * random.random())

    connecting = asyncio.create_task(connect())
    while not connecting.done() and (outbox.kept or not stopping.is_set()):
        if not stopping.is_set():
            outbox.add(measure(outbox))
            news.set()
        await asyncio.sleep(PERIOD_S)
    if connecting.done():
        connecting.result()


asyncio.run(main())
