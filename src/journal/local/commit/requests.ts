import type { ReplayedLetter, Settlement } from '../../journal.ts';
import type { Incoming } from './incoming.ts';
import { type PendingReplay, replayInto } from './replay.ts';
import type { PendingSettlement } from './settlement.ts';
import type { LettersState } from '../format/state.ts';
import type { Storage } from '../lmdb/storage.ts';

/** What the next transactions are asked for beside frames: settlements, all at once, and replays, one by one. */
export class Requests {
  #settlements: PendingSettlement[] = [];
  #replays: PendingReplay[] = [];

  get hasSettlements(): boolean {
    return this.#settlements.length > 0;
  }

  get hasReplays(): boolean {
    return this.#replays.length > 0;
  }

  /** Resolves when it is on disk. */
  settle(settlement: Settlement): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settlements.push({ settlement, resolve, reject });
    });
  }

  /** Resolves with the positions that the letters have as frames, when those are on disk. */
  async replay(letters: readonly ReplayedLetter[]): Promise<Map<string, number | null>> {
    const positions = new Map<string, number | null>();
    await new Promise<void>((resolve, reject) => {
      this.#replays.push({ letters, positions, known: new Map(), resolve, reject });
    });
    return positions;
  }

  takeSettlements(): PendingSettlement[] {
    return this.#settlements.splice(0);
  }

  /** Seals the next replay that takes anything back into `incoming`, if there is one. */
  sealReplay(
    incoming: Incoming,
    state: LettersState,
    storage: Pick<Storage, 'letter'>,
    nowMs: number,
  ): PendingReplay | null {
    for (let replay = this.#replays.shift(); replay !== undefined; replay = this.#replays.shift()) {
      const batch = incoming.replayBatch(nowMs);
      try {
        replayInto(batch, replay, state, storage, nowMs);
      } catch (error) {
        replay.reject(error);
        continue;
      }
      if (batch.replayed.length > 0) {
        incoming.pushReplay(batch);
        return replay;
      }
      replay.resolve();
    }
    return null;
  }

  /** Takes all that waits: nobody's wish will be done. */
  takeAll(): (PendingSettlement | PendingReplay)[] {
    return [...this.#settlements.splice(0), ...this.#replays.splice(0)];
  }
}
