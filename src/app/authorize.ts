import { isLoopback, type Settings } from '../config/index.ts';
import { MillraceError } from '../core/index.ts';
import type { Authorize } from '../ingest/index.ts';
import { isOriginAllowed, requireLoopbackHost } from '../net/index.ts';

/** Who may bring frames by any way in, or follow a tail. The answer throws `origin_forbidden`. */
export function authorizer(settings: Settings): Authorize {
  const loopbackOnly = isLoopback(settings.host);
  return ({ header }) => {
    if (loopbackOnly) requireLoopbackHost(header('host'), settings.origins);
    if (!isOriginAllowed(header, settings.origins)) {
      throw new MillraceError('origin_forbidden', 'pages of this origin may not connect');
    }
  };
}
