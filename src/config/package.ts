import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json, above this file both in src/ and in dist/. */
export const PACKAGE_DIR = packageDir(dirname(fileURLToPath(import.meta.url)));

function packageDir(from: string): string {
  return existsSync(join(from, 'package.json')) || dirname(from) === from ? from : packageDir(dirname(from));
}

const manifest: unknown = createRequire(import.meta.url)(join(PACKAGE_DIR, 'package.json'));

export const VERSION =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : '0.0.0';
