/**
 * Answers of rows, from a checked query to pieces of bytes. They are made in the process that has the store, where no ack
 * waits for them; what crosses to the process that serves them is a request and, piece by piece, bytes. Memory is bounded
 * whatever is asked, and whoever reads slowly holds no place of the store's work.
 */
export * from './request.ts';
export { ENCODINGS, type Encoding } from './encoding.ts';
export * from './forms/index.ts';
export * from './page-cursor.ts';
export { Answers, type ReadableStore } from './answers.ts';
export { stopped } from './making.ts';
export { ReadPlaces, sizeOf, type ReadCounts, type ReadSize, type SizeCounts } from './read-places.ts';
export { HeldAnswers } from './held-answers.ts';
export { StoreTime } from './store-time.ts';
