/**
 * What one socket, reader or device does to the others: each row's program and how much of it. `rows` have to be stored
 * before. `minSeconds` is how long it takes to show; a row that is to be `complete` ends when it has done all that it
 * came for. `tiny` is its form for tests that take no time: so much work, then it ends.
 */
export const ROWS = {
  'tail-subscribe': {
    title: '1 tail: subscribe, unsubscribe, unread',
    program: 'tail-subscribe',
    options: { count: 1 },
    tiny: 20_000,
  },
  'tail-subscribe-3': {
    title: '3 tails: subscribe, unsubscribe, unread',
    program: 'tail-subscribe',
    options: { count: 3 },
    variant: true,
  },
  'tail-ping': {
    title: '30 tails flood pings',
    program: 'tail-ping',
    options: { count: 30 },
    tiny: 100_000,
  },
  pipelined: {
    title: '10 connections of pipelined GETs, unread',
    program: 'pipelined',
    options: { count: 10 },
    tiny: 5_000,
  },
  'json-queries': {
    title: '4 JSON queries of 1 M rows in a loop',
    program: 'readers',
    options: { count: 4, format: 'json', limit: 1_000_000 },
    rows: 1_000_000,
    tiny: 10_000,
  },
  'json-queries-8': {
    title: '8 JSON queries of 1 M rows in a loop',
    program: 'readers',
    options: { count: 8, format: 'json', limit: 1_000_000 },
    rows: 1_000_000,
    variant: true,
  },
  'csv-readers': {
    title: '8 CSV readers at 300 KB/s',
    program: 'readers',
    options: { count: 8, format: 'csv', bytesPerS: 300_000 },
    rows: 1_000_000,
    tiny: 10_000,
  },
  'slow-csv': {
    title: '1 CSV reader at 200 KB/s gets all',
    program: 'readers',
    options: { count: 1, format: 'csv', bytesPerS: 200_000, once: true },
    rows: 1_000_000,
    minSeconds: 60,
    complete: true,
  },
  bodies: {
    title: '1,800 connections × 4 MB of body',
    program: 'bodies',
    options: { count: 1_800 },
    tiny: 1,
    tinyOptions: { count: 20 },
  },
  'json-bodies': {
    title: '30 JSON bodies of 1 MB, 60,000 tags',
    program: 'json-bodies',
    options: { count: 30 },
    tiny: 10,
  },
  filters: {
    title: '150 tails × 32 filters that match nothing',
    program: 'filters',
    options: { count: 150 },
    tiny: 1,
    tinyOptions: { count: 5 },
  },
  'empty-20': {
    title: '20 devices of empty messages',
    program: 'empty-messages',
    options: { count: 20 },
    tiny: 20_000,
  },
  'empty-100': {
    title: '100 devices of empty messages',
    program: 'empty-messages',
    options: { count: 100 },
    variant: true,
  },
  names: {
    title: '400,000 device names, one frame each',
    program: 'names',
    options: { names: 400_000, frame: true },
    maxSeconds: 240,
    tiny: 500,
  },
  'names-silent': {
    title: '400,000 device names without a frame',
    program: 'names',
    options: { names: 400_000, frame: false },
    maxSeconds: 240,
    variant: true,
  },
};
