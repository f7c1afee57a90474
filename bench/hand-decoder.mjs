/**
 * What a careful hand writes for the Environment schema alone: from a record's bytes to typed arrays, without any check,
 * as the reference for the generated decoder. `device` is passed over; `into` has room.
 */

export class HandColumns {
  rows = 0;

  constructor(capacity) {
    this.timeMs = new Float64Array(capacity);
    this.temperature = new Float64Array(capacity);
    this.humidity = new Float64Array(capacity);
    this.pressure = new Float64Array(capacity);
    this.battery = new Float64Array(capacity);
    this.ok = new Uint8Array(capacity);
  }
}

export function decodeByHand(bytes, start, into) {
  const { timeMs, temperature, humidity, pressure, battery, ok } = into;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  let row = into.rows;
  const long = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
  };
  const optional = () => {
    if (bytes[at++] === 0) return NaN;
    at += 4;
    return view.getFloat32(at - 4, true);
  };
  if (bytes[at++] !== 0) at += long();
  for (let count = long(); count !== 0; count = long()) {
    if (count < 0) {
      count = -count;
      long();
    }
    for (let i = 0; i < count; i++, row++) {
      timeMs[row] = long();
      temperature[row] = optional();
      humidity[row] = optional();
      pressure[row] = optional();
      battery[row] = optional();
      ok[row] = bytes[at++];
    }
  }
  into.rows = row;
}
