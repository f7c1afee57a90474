/**
 * Writes THIRD-PARTY-NOTICES: whose work the package stands on and by which licence, with the texts that each of them
 * ships. It reads what is installed, so it is as true as node_modules is: node build/third-party-notices.mjs [FILE]
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const lock = JSON.parse(await readFile(new URL('package-lock.json', root), 'utf8'));
const target = process.argv[2] ?? fileURLToPath(new URL('THIRD-PARTY-NOTICES', root));

/** Packages of which code gets into dist/dashboard. */
const BUNDLED = ['uplot'];
const apache = await readFile(new URL('LICENSE', root), 'utf8');
/** What a package carries besides its own, of which it has no texts. */
const CARRIES = {
  'node_modules/uWebSockets.js': [
    'The binaries in this package are builds of uWebSockets.js, with uWebSockets and uSockets',
    '(https://github.com/uNetworking), by Alex Hultman and contributors, licensed under the Apache License 2.0, whose',
    'text follows. Linked into them are BoringSSL (https://boringssl.googlesource.com/boringssl: OpenSSL, SSLeay and',
    'ISC licences), LSQUIC (https://github.com/litespeedtech/lsquic: MIT) and zlib (https://zlib.net: zlib licence).',
    '',
    apache.trim(),
  ].join('\n'),
};

const parts = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  const isOurs = path === '' || (entry.dev === true && !BUNDLED.includes(path.replace('node_modules/', '')));
  const manifest = isOurs ? null : await readManifest(path);
  if (manifest !== null) parts.push(await noticeOf(path, manifest));
}
if (parts.length === 0) throw new Error('nothing is installed: run npm ci first');

const opening =
  'Millrace is licensed under the Apache License 2.0 (LICENSE). It stands on the packages below, which npm installs\n' +
  `beside it; code of ${BUNDLED.join(' and ')} is in dist/dashboard. Each has its own licence.\n`;
await writeFile(target, [opening, ...parts].join(`\n${'='.repeat(80)}\n\n`));
process.stdout.write(`${parts.length} packages in ${target}\n`);

/** Null for an optional package of another platform. */
async function readManifest(path) {
  try {
    return JSON.parse(await readFile(new URL(`${path}/package.json`, root), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

async function noticeOf(path, { name, version, license, homepage, repository, author }) {
  const dir = new URL(`${path}/`, root);
  const files = (await readdir(dir)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).toSorted();
  const texts = [];
  for (const file of files) texts.push((await readFile(new URL(file, dir), 'utf8')).trim());
  if (texts.length === 0) texts.push(`The package has no text of its licence. Author: ${personOf(author)}.`);
  const from = homepage ?? repository?.url ?? repository ?? '';
  const carried = CARRIES[path] === undefined ? [] : [CARRIES[path]];
  const licence = typeof license === 'object' ? license.type : (license ?? 'see below');
  return `${[`${name} ${version}\nLicence: ${licence}\n${from}`.trim(), ...texts, ...carried].join('\n\n')}\n`;
}

function personOf(author) {
  return typeof author === 'object' ? author.name : (author ?? 'not named');
}
