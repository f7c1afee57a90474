import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import avsc from 'avsc';
import { encodeSingleObjectHeader, fingerprintOf } from '../../../src/codec/index.ts';
import { LIMITS } from '../../../src/core/index.ts';
import { vehicleFrame } from '../../fixtures/vehicle-frames.ts';
import type { Reading } from './device.ts';

/** A device whose frames are like no others: how many readings they have, how often they come, and their bytes. */
export interface OddKind {
  device: string;
  readings: number;
  /** Its chance to send whenever the others do, and the number of frames after which it stays silent. */
  chance: number;
  maxFrames: number;
  frame(readings: readonly Reading[]): Buffer;
}

const moduleText = JSON.stringify({
  type: 'record',
  name: 'Module',
  fields: [
    {
      name: 'readings',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'ModuleReading',
          fields: [
            { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'room', type: 'string' },
            { name: 'v', type: 'double' },
          ],
        },
      },
    },
  ],
});
const moduleType = avsc.Type.forSchema(JSON.parse(moduleText) as avsc.Schema);
const moduleHeader = encodeSingleObjectHeader(fingerprintOf(moduleText));

const HEAVY_READINGS = 70;
const VEHICLE_TAGS = 5;
const HEAVY_TAG_BYTES = Math.floor(LIMITS.maxRepeatedTextBytes / HEAVY_READINGS / VEHICLE_TAGS);

/** One whose frames weigh as much as the guard lets through, and one whose tag changes from reading to reading. */
export const ODD_KINDS: readonly OddKind[] = [
  {
    device: 'heavy',
    readings: HEAVY_READINGS,
    chance: 0.02,
    maxFrames: 2,
    frame: (readings) => vehicleFrame(readings, HEAVY_TAG_BYTES),
  },
  {
    device: 'alternating',
    readings: 100,
    chance: 0.05,
    maxFrames: Infinity,
    frame: (readings) => {
      const ofRooms = readings.map(({ timeMs, value }, i) => ({
        time: timeMs,
        room: `room ${i % 2}`,
        v: value,
      }));
      return Buffer.concat([moduleHeader, moduleType.toBuffer({ readings: ofRooms })]);
    },
  },
];

/** What the fleet sends, as it is stored: a measurement with the field that tells its readings apart. */
export const MEASUREMENTS: readonly (readonly [string, string])[] = [
  ['environment', 'temperature'],
  ['vehicle', 'latitude'],
  ['module', 'v'],
];

/** The shipped schemas and the odd devices' in a folder. */
export function schemasIn(dir: string): string {
  const folder = join(dir, 'schemas');
  mkdirSync(folder, { recursive: true });
  cpSync('schemas', folder, { recursive: true });
  writeFileSync(join(folder, 'module.avsc'), moduleText);
  return folder;
}
