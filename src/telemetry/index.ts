/** What operators see: the log and the metrics. Secrets never reach either. */
export { createLogger, type Logger } from './logger.ts';
export { Metrics, type MetricSources } from './metrics.ts';
