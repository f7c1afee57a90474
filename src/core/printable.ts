/** Control characters (C0, DEL, C1), and what else ends a line in some programs. */
// oxlint-disable-next-line no-control-regex -- finding them is the purpose
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** A text from outside as it may go to a terminal or into a line: control characters stand as JSON escapes. */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
