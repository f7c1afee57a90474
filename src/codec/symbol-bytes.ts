/** What the symbols of an enum take as text. */
export interface SymbolBytes {
  /** Of each symbol. */
  readonly each: readonly number[];
  readonly longest: number;
}

/** Once for an enum: thousands of fields may share one of tens of thousands of symbols. */
const known = new WeakMap<readonly string[], SymbolBytes>();

export function symbolBytes(symbols: readonly string[]): SymbolBytes {
  let found = known.get(symbols);
  if (found === undefined) {
    const each = symbols.map((symbol) => Buffer.byteLength(symbol));
    found = { each, longest: each.reduce((longest, bytes) => Math.max(longest, bytes), 0) };
    known.set(symbols, found);
  }
  return found;
}
