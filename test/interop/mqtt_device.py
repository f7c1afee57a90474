"""A device that publishes frames over MQTT, written with `paho-mqtt` and `fastavro` from docs/protocol.md alone.

usage: mqtt_device.py MQTT_URL 3.1.1|5 SCHEMA_FILE DEVICE FRAMES
Publishes FRAMES frames with one reading each, the first of them twice, and one that is no frame. Prints one JSON object
with the reason codes of the acknowledgements, in the order of the frames. A ws:// URL is MQTT over WebSocket.
"""

import io
import json
import sys
import time
import urllib.parse

import fastavro
import paho.mqtt.client as mqtt

url, version, schema_file, device, frames = sys.argv[1:5] + [int(sys.argv[5])]
address = urllib.parse.urlsplit(url)
schema = fastavro.parse_schema(json.load(open(schema_file, encoding="utf8")))
fingerprint = bytes.fromhex(fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(schema), "CRC-64-AVRO"))
start_ms = int(time.time() * 1000) - 60_000


def frame(number):
    body = io.BytesIO()
    reading = {"time": start_ms + number, "temperature": 20.0, "humidity": None, "pressure": None, "battery": None, "ok": True}
    fastavro.schemaless_writer(body, schema, {"readings": [reading]})
    return b"\xc3\x01" + fingerprint + body.getvalue()


reasons = {}


def on_publish(_client, _userdata, mid, reason, _properties):
    reasons[mid] = reason.value


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id=device,
    protocol=mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311,
    transport="websockets" if address.scheme == "ws" else "tcp",
)
if address.scheme == "ws":
    client.ws_set_options(path=address.path)
client.on_publish = on_publish
connected = []
client.on_connect = lambda _client, _userdata, _flags, reason, _properties: connected.append(reason)
client.connect(address.hostname, address.port)
client.loop_start()
payloads = [frame(number) for number in range(frames)]
sent = [
    client.publish(f"millrace/v1/{device}/frames", payload, qos=1).mid
    for payload in [*payloads, payloads[0], b"\xc3\x01 no frame at all"]
]
end = time.time() + 30
while len(reasons) < len(sent) and time.time() < end:
    time.sleep(0.01)
client.disconnect()
client.loop_stop()
print(json.dumps({"acked": [reasons.get(mid) for mid in sent]}))
