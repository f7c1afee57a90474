/**
 * The parts of InfluxDB's line protocol. Its names and tags know only the escapes of comma, equals sign and
 * space, so that some texts have no form that reads back: for those the functions here answer null.
 */

/** A measurement's name. */
export function escapeMeasurement(name: string): string | null {
  // `#` opens a comment, and the server skips white space and NUL in front of a line.
  return isName(name) && !/^[#\t]/.test(name) ? name.replace(/[, ]/g, '\\$&') : null;
}

/** The key of a tag or a field. */
export function escapeKey(name: string): string | null {
  return isName(name) ? name.replace(/[,= ]/g, '\\$&') : null;
}

/** A tag's value, which is not empty: an empty tag is a missing one. */
export function escapeTagValue(text: string): string | null {
  return /\\$|[\n\0]/.test(text) ? null : text.replace(/[,= ]/g, '\\$&');
}

/** The server takes names with a backslash, but its own escapes then hide what was stored from queries. */
function isName(name: string): boolean {
  return name !== '' && !/[\\\n\0]/.test(name);
}

/** A string field with its quotes. Every string has a form. */
export function quoteString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
