"""A device, a query and a tail written from docs/protocol.md alone, with `websockets` and `fastavro`.

usage: device.py HTTP_URL SCHEMA_FILE DEVICE FRAMES READINGS
Prints one JSON object with what the gateway answered.
"""

import asyncio
import io
import json
import sys
import time
import urllib.parse
import urllib.request

import fastavro
import websockets

url, schema_file, device, frames, readings = sys.argv[1:4] + [int(n) for n in sys.argv[4:6]]
ws_url = url.replace("http", "ws", 1)
schema = fastavro.parse_schema(json.load(open(schema_file, encoding="utf8")))
start_ms = int(time.time() * 1000) - 60_000


def frame(number):
    """One frame in single-object encoding: C3 01, the fingerprint, little-endian, and the record."""
    record = {
        "readings": [
            {
                "time": start_ms + (number * readings + i) * 10,
                "temperature": 20.0 + i,
                "humidity": 50.0,
                "pressure": 1013.25,
                "battery": 3.5,
                "ok": True,
            }
            for i in range(readings)
        ]
    }
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, record)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    return b"\xc3\x01" + fingerprint + body.getvalue()


async def tail(rows, ready, wanted):
    async with websockets.connect(f"{ws_url}/v1/tail") as socket:
        await socket.send(
            json.dumps({"type": "subscribe", "id": "all", "measurement": "environment", "device": device, "from": "now"})
        )
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "live":
                ready.set()
            if message["type"] == "data":
                rows.extend(message["rows"])
            if len(rows) >= wanted:
                return


async def stream():
    acked = 0
    async with websockets.connect(f"{ws_url}/v1/ingest?device={device}", subprotocols=["millrace.v1"]) as socket:
        welcome = json.loads(await socket.recv())
        for number in range(frames):
            await socket.send(frame(number))
        await socket.send(b"\xc3\x01 no frame at all")
        rejected = []
        while acked < welcome["seq"] + frames + 1:
            message = json.loads(await socket.recv())
            if message["type"] == "ack":
                acked = message["seq"]
            if message["type"] == "reject":
                rejected.append({"seq": message["seq"], "code": message["code"]})
    return welcome, acked, rejected, socket.subprotocol


def query(**parameters):
    with urllib.request.urlopen(f"{url}/v1/query?{urllib.parse.urlencode(parameters)}") as answer:
        return json.load(answer)


async def main():
    rows, ready = [], asyncio.Event()
    tailing = asyncio.create_task(tail(rows, ready, frames * readings))
    await asyncio.wait_for(ready.wait(), 20)
    welcome, acked, rejected, subprotocol = await stream()
    await asyncio.wait_for(tailing, 20)
    stored = []
    while len(stored) < frames * readings:
        stored = query(measurement="environment", device=device)["rows"]
        await asyncio.sleep(0.05)
    print(
        json.dumps(
            {
                "subprotocol": subprotocol,
                "welcome": welcome,
                "acked": acked,
                "rejected": rejected,
                "stored": stored,
                "tailed": rows,
            }
        )
    )


asyncio.run(asyncio.wait_for(main(), 50))
