/** A line of InfluxDB's line protocol, read by its own rules (docs: "Line protocol", "Special characters"). */
export interface Line {
  measurement: string;
  tags: Map<string, string>;
  /** As written: numbers, integers with their i, booleans, strings in quotes. */
  fields: Map<string, string>;
  timeNs: bigint;
}

/** Reads text up to one of `ends` that no backslash escapes; only those of `escaped` lose theirs. */
function take(text: string, start: number, ends: string, escaped: string): { value: string; end: number } {
  let value = '';
  let at = start;
  while (at < text.length && !ends.includes(text.charAt(at))) {
    if (text.charAt(at) === '\\' && escaped.includes(text.charAt(at + 1)) && at + 1 < text.length) at++;
    value += text.charAt(at++);
  }
  return { value, end: at };
}

/** A field's value: a string may hold line breaks, spaces and commas. */
function takeValue(text: string, start: number): { value: string; end: number } {
  if (text.charAt(start) !== '"') return take(text, start, ', \n', '');
  const { value, end } = take(text, start + 1, '"', '"\\');
  return { value: `"${value}"`, end: end + 1 };
}

export function parseLines(text: string): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < text.length; at++) {
    const name = take(text, at, ', ', ', ');
    const line: Line = { measurement: name.value, tags: new Map(), fields: new Map(), timeNs: 0n };
    at = name.end;
    while (text.charAt(at) === ',') {
      const key = take(text, at + 1, '=', ',= ');
      const value = take(text, key.end + 1, ', ', ',= ');
      line.tags.set(key.value, value.value);
      at = value.end;
    }
    do {
      const key = take(text, at + 1, '=', ',= ');
      const value = takeValue(text, key.end + 1);
      line.fields.set(key.value, value.value);
      at = value.end;
    } while (text.charAt(at) === ',');
    const time = take(text, at + 1, '\n', '');
    line.timeNs = BigInt(time.value);
    at = time.end;
    lines.push(line);
  }
  return lines;
}
