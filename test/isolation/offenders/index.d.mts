/** A row of the table: what one socket, reader or device does. */
export interface Row {
  title: string;
  /** The file beside this one that does it, without its ending, and what it is told. */
  program: string;
  options: Readonly<Record<string, unknown>>;
  /** Rows that have to be stored before. */
  rows?: number;
  minSeconds?: number;
  maxSeconds?: number;
  complete?: true;
  /** True for a heavier form of another row. */
  variant?: true;
  /** The small form: so much work, with these options changed. */
  tiny?: number;
  tinyOptions?: Readonly<Record<string, unknown>>;
}

export const ROWS: Readonly<Record<string, Row>>;
