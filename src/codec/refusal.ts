import { LIMITS, MillraceError, type ErrorCode } from '../core/index.ts';

/**
 * Why bytes are refused. The checks return the place behind a value, or one of these: all are negative, so
 * that one comparison on the hot path tells them apart.
 */
export const REFUSED = {
  truncated: -1,
  varint: -2,
  utf8: -3,
  tooLong: -4,
  newline: -5,
  backslash: -6,
  infinite: -7,
  index: -8,
  time: -9,
  device: -10,
  block: -11,
  tooMany: -12,
  trailing: -13,
  length: -14,
  tooHeavy: -15,
  tags: -16,
  untimed: -17,
} as const;

const REASONS: Readonly<Record<keyof typeof REFUSED, readonly [ErrorCode, string]>> = {
  truncated: ['frame_truncated', 'the bytes end inside it'],
  varint: ['frame_varint', 'its varint is overlong or out of range'],
  utf8: ['frame_utf8', 'it is not valid UTF-8'],
  tooLong: ['value_unusable', `the string is longer than ${LIMITS.maxStringBytes} bytes`],
  newline: ['value_unusable', 'a tag with a line break or a NUL has no faithful form in line protocol'],
  backslash: ['value_unusable', 'a tag that ends in a backslash has no faithful form in line protocol'],
  infinite: ['value_not_finite', 'the number is infinite'],
  index: ['frame_index', 'its union branch, enum index or boolean is outside the range'],
  time: ['time_out_of_range', 'the time is outside of what is taken'],
  device: ['device_mismatch', "it differs from the connection's device"],
  block: ['frame_block', 'the count or byte size of an array block is impossible'],
  tooMany: [
    'frame_too_many_readings',
    `there are more than ${LIMITS.maxReadingsPerFrame} items, or they become more than ${LIMITS.maxCellsPerFrame} values`,
  ],
  trailing: ['frame_trailing', 'bytes are left over after the record'],
  length: ['frame_varint', 'its length is negative'],
  tooHeavy: [
    'frame_too_heavy',
    `the frame's own strings on each of its readings, and the symbols of enums, are more than ${LIMITS.maxRepeatedTextBytes} bytes`,
  ],
  tags: [
    'value_unusable',
    `the tags of one point are together longer than ${LIMITS.maxTagBytes} bytes, or than their names leave of that; ` +
      'a comma, space or equals sign counts twice',
  ],
  untimed: [
    'time_missing',
    "more than one reading has neither a time of its own nor the frame's: they would overwrite each other",
  ],
};
const BY_NUMBER = new Map(
  (Object.keys(REFUSED) as (keyof typeof REFUSED)[]).map((name) => [REFUSED[name], REASONS[name]] as const),
);

/**
 * The error for a refusal; `reading` fills the `[]` of the path and is negative outside of readings. `why` is a better
 * reason than the general one.
 */
export function refusal(number: number, path: string, reading: number, why?: string): MillraceError {
  const [code, general] = BY_NUMBER.get(number as (typeof REFUSED)[keyof typeof REFUSED]) ?? [
    'internal',
    'unknown refusal',
  ];
  const reason = why ?? general;
  const place = path.replace('[]', `[${Math.max(reading, 0)}]`);
  return new MillraceError(
    code,
    place === '' ? reason : `${place}: ${reason}`,
    place === '' ? {} : { path: place },
  );
}
