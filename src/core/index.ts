/**
 * The names that every part shares: errors with stable codes, limits, time, device ids, cursors, and the
 * column form of points. Pure values and functions; nothing here opens a file or a socket.
 */
export * from './errors.ts';
export * from './limits.ts';
export * from './device.ts';
export * from './frame-topic.ts';
export * from './edges.ts';
export * from './transports.ts';
export * from './time.ts';
export * from './age-clock.ts';
export * from './printable.ts';
export * from './slice.ts';
export * from './rounds.ts';
export * from './places.ts';
export * from './cursor.ts';
export * from './measurement.ts';
export * from './nearest.ts';
export * from './aggregate-functions.ts';
export * from './columns.ts';
export * from './answer-batch.ts';
export * from './answer-forms.ts';
export * from './alike-rows.ts';
export * from './float32.ts';
export * from './rows.ts';
