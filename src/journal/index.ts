/** Frames made durable before they are acknowledged, device cursors, dead letters and the ledger. */
export type * from './journal.ts';
