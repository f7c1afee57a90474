import type { EdgeKind } from '../core/index.ts';

/** Whether several processes can listen on one port: on Linux, and Node itself since 22.12 and 23.1. */
export function sharesPorts(
  kind: EdgeKind,
  platform: string = process.platform,
  version: string = process.versions.node,
): boolean {
  if (platform !== 'linux') return false;
  if (kind === 'uws') return true;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const since = major === 22 ? 12 : major === 23 ? 1 : 0;
  return major >= 22 && minor >= since;
}
