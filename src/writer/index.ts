/**
 * Journal to store: batches by size and age, retries with backoff and a circuit breaker for as long as it takes,
 * and settles in the journal only what the store has. Refused points become dead letters with their frame. With
 * `expire-oldest` it gives up the oldest frames at the journal's limit. An audit beside it compares a sample of what
 * is settled with what the store returns.
 */
export { Holes } from './holes.ts';
export { type Suspects, suspectsAfter, type WriteAttempt } from './suspects.ts';
export { Writer, type WriterOptions } from './writer.ts';
export { backlogOf, type WriterStatus } from './status.ts';
export type { CircuitState } from './circuit.ts';
export { Audit, type AuditOptions, type AuditStatus } from './audit.ts';
