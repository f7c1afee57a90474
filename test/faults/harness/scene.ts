import type { Random } from '../../../devices/random.ts';
import { temporaryFolder } from '../../fixtures/folder.ts';
import { Fleet } from './fleet.ts';
import { Gateway } from './gateway.ts';
import type { Patch } from './patches.ts';

export interface Scene {
  gateway: Gateway;
  fleet: Fleet;
  dataDir: string;
}

export interface SceneOptions {
  random: Random;
  devices?: number;
  /** Part of the frames that are bad. */
  badPart?: number;
  env?: Readonly<Record<string, string>>;
  patches?: readonly Patch[];
  /** What Node runs instead of `millrace serve`, with its arguments. */
  program?: string[];
  /** A folder of the caller's instead of a temporary one. */
  dataDir?: string;
}

/** A running server and a streaming fleet (none with `devices: 0`) for one test; all of it is gone afterwards. */
export async function withScene(options: SceneOptions, play: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = options.dataDir === undefined ? temporaryFolder() : null;
  const dataDir = options.dataDir ?? folder?.path ?? '';
  const gateway = await Gateway.create(dataDir, options.env, options.patches, options.program);
  let fleet: Fleet | null = null;
  try {
    await gateway.start();
    const { random, devices = 4, badPart = 0.02 } = options;
    fleet = new Fleet({ random, wsUrl: gateway.wsUrl, devices, badPart });
    if (fleet.models.length > 0) {
      fleet.stream();
      await fleet.progress(1);
    }
    await play({ gateway, fleet, dataDir });
  } finally {
    fleet?.close();
    await gateway.dispose();
    folder?.remove();
  }
}
