/**
 * What the server's two kinds of other processes have in common: they are started, ended when they hang, started again
 * when they end, and closed with the server. It knows processes only by what `Child` and `ChildKind` say of them.
 */
export { endOf, type Child } from './child.ts';
export { Supervisor, type ChildKind, type Down, type Supervision } from './supervisor.ts';
export { ownUsage, type ProcessUsage } from './usage.ts';
export { systemTiming, type Timing } from './timing.ts';
export { seconds } from './watchdog.ts';
