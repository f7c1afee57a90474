/** Half of a surrogate pair, which UTF-8 has no form for. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Whether a device or tag may have this text. A filter by any other finds nothing: an empty tag is a missing one, none
 * has a NUL, and half a pair would be taken for the U+FFFD that it becomes in UTF-8.
 */
export function isTagText(text: string): boolean {
  return text !== '' && !text.includes('\0') && !LONE_SURROGATE.test(text);
}
