import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { HttpAnswer } from '../net/index.ts';
import { entityTag } from './conditional.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/** The page talks to its own host alone, and no other page may frame it. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The files below a folder, by URL path, read once: what is not in the table cannot be asked for, whatever a
 * path says. `/` is index.html. A folder that does not exist has no files (a server without the page).
 */
export function loadStaticFiles(dir: string): ReadonlyMap<string, HttpAnswer> {
  const files = new Map<string, HttpAnswer>();
  for (const path of listFiles(dir, '')) files.set(path, fileAnswer(readFileSync(join(dir, path)), path));
  const index = files.get('/index.html');
  if (index !== undefined) files.set('/', index);
  return files;
}

function listFiles(dir: string, prefix: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(dir, prefix), { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return listFiles(dir, path);
    return entry.isFile() && !entry.name.startsWith('.') ? [path] : [];
  });
}

function fileAnswer(body: Buffer, path: string): HttpAnswer {
  return {
    status: 200,
    headers: {
      'Content-Type': CONTENT_TYPES[extname(path)] ?? 'application/octet-stream',
      // Asked again each time, which costs a 304: names do not change with contents.
      'Cache-Control': 'no-cache',
      ETag: entityTag(body),
      'Content-Security-Policy': PAGE_POLICY,
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
    },
    body,
  };
}
