import { WebSocket } from 'ws';
import { IngestClient } from '../../src/client/index.ts';
import type { FrameSender, SenderContext, SenderEvents, Senders } from './sender.ts';

/** Devices that send over a WebSocket each, by the client library. */
export function openWsSenders(context: SenderContext): Senders {
  return {
    open: (device, random, events) => new WsSender(context, device, random, events),
    close: () => {},
  };
}

class WsSender implements FrameSender {
  readonly #client: IngestClient;

  constructor(
    { url, timers, outbox }: SenderContext,
    device: string,
    random: () => number,
    events: SenderEvents,
  ) {
    this.#client = new IngestClient({
      url: url.replace(/^http/, 'ws'),
      device,
      WebSocket: PlainWebSocket,
      timers,
      outbox,
      random,
      onSettled: (frame, nowMs) => events.onSettled(frame, nowMs),
      onNumbersFault: ({ kind }) => events.onNumbersFault(kind),
      onWelcome: () => events.onConnected(),
      onState: (state) => {
        if (state.name === 'waiting') {
          const { reason, closeCode } = state.end;
          events.onTrouble(reason || `close code ${closeCode}`);
        }
        if (state.name !== 'stopped' || state.stop.cause === 'closed') return;
        events.onStopped(state.stop.reason || `close code ${state.stop.closeCode ?? 1006}`);
      },
    });
  }

  get connected(): boolean {
    return this.#client.state === 'open';
  }

  send(bytes: Uint8Array, readings: number): boolean {
    return this.#client.send(bytes, readings);
  }

  neverSent(): ReturnType<FrameSender['neverSent']> {
    return this.#client.neverSent();
  }

  flushed(timeoutMs: number): Promise<unknown> {
    return this.#client.flushed(timeoutMs);
  }

  close(): void {
    this.#client.close();
  }
}

/** Devices do not compress: frames are small and binary already. */
class PlainWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}
