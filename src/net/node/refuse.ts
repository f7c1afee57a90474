import type { Duplex } from 'node:stream';
import { LIMITS, MillraceError } from '../../core/index.ts';
import { problem } from '../problem.ts';
import { STATUS_TEXT } from '../status-text.ts';

/** What Node's parser says, and what it says it of. */
type RequestError = NodeJS.ErrnoException & { rawPacket?: Buffer };

/** What a request is answered that Node's parser refuses; null where nobody waits for an answer. */
export function refusalOf(error: RequestError): MillraceError | null {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'HPE_INVALID_EOF_STATE':
      return null;
    case 'HPE_HEADER_OVERFLOW':
      return new MillraceError(
        'head_too_large',
        `a request's URL and headers may have ${LIMITS.httpHeadBytes} bytes`,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new MillraceError('head_late', `a request's head comes within ${LIMITS.headTimeoutMs} ms`);
    case 'HPE_INVALID_METHOD':
      // What has no method at all is another protocol, such as TLS.
      if (!/^[A-Za-z]+ /.test(error.rawPacket?.toString('latin1', 0, 100) ?? '')) break;
      return new MillraceError('method_not_allowed', 'there is no such method');
    default:
  }
  return new MillraceError('request_malformed', `this is no request of HTTP/1.1 or 1.0: ${error.message}`);
}

/** Answers on the bare socket and ends it. It is read on for a moment: a reset would take the answer along. */
export function refuse(socket: Duplex, error: MillraceError, headers: Record<string, string> = {}): void {
  const { status, headers: own, body } = problem(error, headers);
  const text = typeof body === 'string' ? body : '';
  const lines = Object.entries({
    ...own,
    'Content-Length': String(Buffer.byteLength(text)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Status'}\r\n${lines.join('')}\r\n${text}`);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LIMITS.lingerMs);
  socket.once('close', () => clearTimeout(timer));
}
