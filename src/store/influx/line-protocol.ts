import { shortestFloat32, type Column } from '../../core/index.ts';

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

/**
 * A float field, or null for infinities and NaN. A float32 is written as its own shortest decimal, so that it
 * reads back as that.
 */
export function floatText(value: number, float32: boolean): string | null {
  if (!Number.isFinite(value)) return null;
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  return String(float32 ? shortestFloat32(value) : value);
}

/** One field's value at a row: undefined where it is missing, null where it has no form. */
export function fieldText(column: Column, row: number): string | null | undefined {
  switch (column.type) {
    case 'float': {
      const value = column.values[row] ?? Number.NaN;
      return Number.isNaN(value) ? undefined : floatText(value, column.def.float32);
    }
    case 'integer':
      return column.present[row] === 1 ? `${column.values[row] ?? 0n}i` : undefined;
    case 'boolean': {
      const value = column.values[row];
      return value === 1 ? 'true' : value === 0 ? 'false' : undefined;
    }
    case 'string': {
      const value = column.values[row];
      return value === null || value === undefined ? undefined : quoteString(value);
    }
  }
}
