import type { RefusedFrame, RefusedPoint } from '../store.ts';

/** Refused points by the frame that they came in, in the order of their first point; the first reason speaks. */
export function refusedFrames(refused: readonly RefusedPoint[]): RefusedFrame[] {
  const frames = new Map<number, RefusedFrame>();
  for (const { batch, row, message } of refused) {
    const position = batch.position[row];
    if (position === undefined) continue;
    const frame = frames.get(position);
    if (frame === undefined) frames.set(position, { position, readings: 1, code: 'store_refused', message });
    else frame.readings++;
  }
  return [...frames.values()];
}
