/** What operators see: the log, the metrics, and figures of the last moments for the page. Secrets never reach any of them. */
export { createLogger, jsonLogger, prettyLogger, type Logger } from './logger.ts';
export { AckLatency } from './ack-latency.ts';
export { Metrics, type MetricSources } from './metrics.ts';
export type { ChildProcesses, ChildProcessFigures } from './process-metrics.ts';
export { Rate } from './rate.ts';
