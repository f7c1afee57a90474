const TIME = { type: 'long', logicalType: 'timestamp-millis' };

/** A schema whose readings have a time: always, or perhaps, with one of the frame behind it. */
export function rootSchema(kind: 'time' | 'optional'): string {
  const time = kind === 'time' ? TIME : ['null', TIME];
  const first =
    kind === 'time' ? { name: 'device', type: ['null', 'string'] } : { name: 'sent', type: ['null', TIME] };
  const item = {
    type: 'record',
    name: 'Reading',
    fields: [
      { name: 'time', type: time },
      { name: 'x', type: 'float' },
    ],
  };
  const readings = { name: 'readings', type: { type: 'array', items: item } };
  return JSON.stringify({ type: 'record', name: 'Probe', fields: [first, readings] });
}
