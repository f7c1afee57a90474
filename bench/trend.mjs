/** Whether a series goes up or down, where neighbouring values are alike. */

/** Part of the series over which values are taken to be alike. */
const BANDWIDTH = 0.2;
/**
 * How many standard errors a slope of zero stays within in 95 of 100 series: more than the usual 1.96 with so wide a window
 * (Bunzel and Vogelsang, Powerful Trend Function Tests, 2005), and simulated here, with series of which each value keeps
 * nine tenths of the one before (test/bench/trend.test.ts).
 */
export const CRITICAL = 3.8;

/**
 * Least squares of `values` over `times`: the slope, and its standard error by Newey and West (1987), which counts that
 * what one value has too much the next one has, too. The usual formula takes each value for news, and its
 * error is several times too small for memory that is looked at every few seconds.
 */
export function trend(times, values) {
  const n = times.length;
  const mean = (of) => of.reduce((sum, value) => sum + value, 0) / n;
  const [meanTime, meanValue] = [mean(times), mean(values)];
  const x = times.map((time) => time - meanTime);
  const squares = x.reduce((sum, value) => sum + value * value, 0);
  const slope = x.reduce((sum, value, i) => sum + value * (values[i] - meanValue), 0) / squares;
  const scores = x.map((value, i) => value * (values[i] - meanValue - slope * value));
  const lags = Math.max(1, Math.round(BANDWIDTH * n));
  let variance = 0;
  for (let lag = 0; lag < lags; lag++) {
    let product = 0;
    for (let i = lag; i < n; i++) product += scores[i] * scores[i - lag];
    variance += (lag === 0 ? 1 : 2) * (1 - lag / lags) * product;
  }
  return { slope, error: Math.sqrt(Math.max(0, variance)) / squares };
}
