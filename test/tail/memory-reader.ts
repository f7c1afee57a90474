import { LIMITS, systemClock } from '../../src/core/index.ts';
import type { SettledTimes } from '../../src/journal/index.ts';
import { TailHub } from '../../src/tail/hub.ts';
import { TAIL_LIMITS, type TailLimits } from '../../src/tail/limits.ts';
import type { TailMessage } from '../../src/tail/messages.ts';
import { parseSubscribe } from '../../src/tail/request.ts';
import type { Subscription } from '../../src/tail/subscription.ts';
import { afterwards, type Bench } from './harness.ts';
import type { ServerMessage } from './tail-socket.ts';

/** A hub over a bench's parts, and what it complained of. */
export function openHub(
  bench: Bench,
  limits: Partial<TailLimits> = {},
  times: Pick<SettledTimes, 'between'> = { between: () => null },
): { hub: TailHub; defects: unknown[] } {
  const defects: unknown[] = [];
  const { journal, registry, store } = bench;
  const hub = new TailHub({
    journal,
    registry,
    store,
    clock: systemClock,
    limits: { ...TAIL_LIMITS, ...limits },
    maxTimeAheadMs: LIMITS.maxTimeAheadMs,
    times,
    onDefect: (error) => defects.push(error),
  });
  afterwards(() => hub.close());
  return { hub, defects };
}

/** A reader without a socket, which lags when it is told to. */
export class MemoryReader {
  readonly messages: ServerMessage[] = [];
  readonly subscription: Subscription;
  #lagging = false;

  constructor(hub: TailHub, body: Record<string, unknown>) {
    const request = parseSubscribe(
      'r',
      new Map(Object.entries({ measurement: 'climate', ...body })),
      hub.registry,
      Date.now(),
    );
    const sink = {
      baseUrl: '',
      send: (message: TailMessage) => {
        this.messages.push(JSON.parse(message.json) as ServerMessage);
      },
      lagging: () => this.#lagging,
    };
    this.subscription = hub.subscribe(request, sink, () => undefined);
  }

  lag(): void {
    this.#lagging = true;
  }

  read(): void {
    this.#lagging = false;
    this.subscription.drained();
  }

  of(type: string): ServerMessage[] {
    return this.messages.filter((message) => message.type === type);
  }

  get rows(): unknown[][] {
    return this.of('data').flatMap((message) => message.rows ?? []);
  }
}
