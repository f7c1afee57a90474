"""Frames in single-object encoding as Python's libraries give the header: writers.py ENVIRONMENT_AVSC KINDS_AVSC

Prints lines as test/vectors/writers/written.txt has them. Neither library has a writer for the header itself: it is C3 01
and the 8 bytes that their own function for fingerprints gives.
"""

import io
import json
import sys
import warnings

import avro.io
import avro.schema
import fastavro

warnings.simplefilter("ignore")
START_MS = 1735689600000

environment, kinds = (open(path, encoding="utf8").read() for path in sys.argv[1:3])
record = {
    "device": None,
    "readings": [
        {
            "time": START_MS + n * 1000,
            "temperature": 20.5 + n,
            "humidity": 50.0,
            "pressure": None,
            "battery": 3.5,
            "ok": True,
        }
        for n in range(2)
    ],
}


def avro_header(text):
    return b"\xc3\x01" + avro.schema.parse(text).fingerprint("CRC-64-AVRO")


def avro_body(text):
    body = io.BytesIO()
    # It takes a time as a datetime alone.
    plain = text.replace('"logicalType": "timestamp-millis"', '"unit": "ms"')
    avro.io.DatumWriter(avro.schema.parse(plain)).write(record, avro.io.BinaryEncoder(body))
    return body.getvalue()


def fastavro_header(text):
    canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(json.loads(text)))
    return b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def fastavro_body(text):
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(text)), record)
    return body.getvalue()


print("Python avro | environment |", (avro_header(environment) + avro_body(environment)).hex())
print("Python avro | kinds |", avro_header(kinds).hex())
print("Python fastavro | environment |", (fastavro_header(environment) + fastavro_body(environment)).hex())
print("Python fastavro | kinds |", fastavro_header(kinds).hex())
