/** Module hooks that replace texts in files while they are loaded; patch.mjs has checked that each is there. */
import { pathToFileURL } from 'node:url';

const byUrl = new Map();

export function initialize({ patches }) {
  for (const patch of patches) {
    const url = pathToFileURL(patch.file).href;
    byUrl.set(url, [...(byUrl.get(url) ?? []), patch]);
  }
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  const patches = byUrl.get(url);
  if (patches === undefined) return loaded;
  let source = String(loaded.source);
  for (const { find, replace } of patches) {
    // An earlier patch may have changed the text that this one is about.
    if (!source.includes(find)) throw new Error(`fault patch: no longer in ${url}: ${find}`);
    source = source.replace(find, () => replace);
  }
  return { ...loaded, source };
}
