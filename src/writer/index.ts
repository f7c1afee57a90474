/**
 * Journal to store: batches by size and age, retries with backoff for as long as it takes, and settles in
 * the journal only what the store has. Refused points become dead letters with their frame.
 */
export { Writer, type WriterOptions } from './writer.ts';
