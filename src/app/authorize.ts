import { isLoopback, type Settings } from '../config/index.ts';
import { MillraceError } from '../core/index.ts';
import { isLoopbackHost, isOriginAllowed, type UpgradeRequest } from '../net/index.ts';

/** Who may open a WebSocket. The answer throws `origin_forbidden`. */
export function authorizer(settings: Settings): (request: UpgradeRequest) => void {
  const loopbackOnly = isLoopback(settings.host);
  return (request) => {
    if (loopbackOnly && !isLoopbackHost(request.header('host'), settings.origins)) {
      throw new MillraceError('origin_forbidden', 'the Host header names no loopback address');
    }
    if (!isOriginAllowed((name) => request.header(name), settings.origins)) {
      throw new MillraceError('origin_forbidden', 'pages of this origin may not connect');
    }
  };
}
