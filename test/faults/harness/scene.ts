import { afterAll, beforeAll } from '@jest/globals';
import type { Random } from '../../../devices/random.ts';
import { temporaryFolder } from '../../fixtures/folder.ts';
import { Fleet } from './fleet.ts';
import { Gateway } from './gateway.ts';
import { ODD_KINDS, schemasIn } from './odd-frames.ts';
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
  /** Also a device that sends heavy frames, and one whose tag changes from reading to reading. */
  odd?: boolean;
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
  const { odd = false } = options;
  const schemas = odd ? { MILLRACE_SCHEMAS: schemasIn(dataDir) } : {};
  const env = { ...schemas, ...options.env };
  const gateway = await Gateway.create(dataDir, env, options.patches, options.program);
  let fleet: Fleet | null = null;
  try {
    await gateway.start();
    const { random, devices = 4, badPart = 0.02 } = options;
    const kinds = odd ? ODD_KINDS : [];
    fleet = new Fleet({ random, wsUrl: gateway.wsUrl, devices, badPart, odd: kinds });
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

/**
 * One scene for all tests of a file, for those that leave the server well: a start and a folder for each would cost more
 * than what they show. `options` is asked before the first of them.
 */
export function sharedScene(options: () => SceneOptions | Promise<SceneOptions>): () => Scene {
  let scene: Scene | null = null;
  let end = (): void => {};
  let over: Promise<void> = Promise.resolve();
  beforeAll(async () => {
    const asked = await options();
    await new Promise<void>((resolve, reject) => {
      over = withScene(asked, (opened) => {
        scene = opened;
        resolve();
        return new Promise((ended) => {
          end = ended;
        });
      });
      over.catch(reject);
    });
  });
  afterAll(async () => {
    end();
    await over;
  });
  return () => {
    if (scene === null) throw new Error('the scene has not begun');
    return scene;
  };
}
