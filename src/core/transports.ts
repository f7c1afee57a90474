/** What the core has to know of a way in. */
interface TransportRow {
  /**
   * Whether frames are numbered per device, so that a resend is known by its number. Frames of the others are known
   * by their content, and their numbers only tell which place in a request is answered.
   */
  numbered: boolean;
}

/**
 * The ways in. The journal's blocks name a transport by its place in this table, so a new one is added at the end and
 * none is taken out. Everything that counts or asks by transport is made from it.
 */
const TABLE = {
  ws: { numbered: true },
  http: { numbered: false },
  mqtt: { numbered: false },
} as const satisfies Record<string, TransportRow>;

/** How a frame came in; the ledger counts each by itself. */
export type Transport = keyof typeof TABLE;

/** A transport whose frames carry no number; they are told apart by their content. */
export type UnnumberedTransport = {
  [T in Transport]: (typeof TABLE)[T]['numbered'] extends true ? never : T;
}[Transport];

/** All of them; the place of each is its byte in the journal's blocks. */
export const TRANSPORTS = Object.keys(TABLE) as readonly Transport[] as readonly [Transport, ...Transport[]];

/** Whether its frames are numbered per device. */
export function isNumbered(transport: Transport): transport is Exclude<Transport, UnnumberedTransport> {
  return TABLE[transport].numbered;
}

/** A value for each transport. */
export function byTransport<T>(make: (transport: Transport) => T): Record<Transport, T> {
  return Object.fromEntries(TRANSPORTS.map((each) => [each, make(each)])) as Record<Transport, T>;
}

/** Readings by the way that they came in. */
export type ByTransport = Record<Transport, number>;

/** The zero of such counts: spread it into a new object before counting. */
export const NO_READINGS: Readonly<ByTransport> = byTransport(() => 0);

/** The sum of two counts, by transport. */
export function addReadings(a: Readonly<ByTransport>, b: Readonly<ByTransport>): ByTransport {
  return byTransport((each) => a[each] + b[each]);
}

/** All readings of a count together. */
export function totalReadings(counts: Readonly<ByTransport>): number {
  return TRANSPORTS.reduce((sum, each) => sum + counts[each], 0);
}
