/**
 * Finds where runs of neighbouring rows end that are alike in some columns of texts. A column is looked through once,
 * whatever the order of its values: what is known of it stays until its run is left.
 */
export class AlikeRows {
  readonly #columns: readonly (readonly (string | null)[])[];
  readonly #rows: number;
  /** By column: behind the last of the rows that are alike in it, from the one on that was asked for. */
  readonly #ends: number[];

  constructor(columns: readonly (readonly (string | null)[])[], rows: number) {
    this.#columns = columns;
    this.#rows = rows;
    this.#ends = columns.map(() => 0);
  }

  /**
   * The end of the run of rows that begins at `from` and is alike in all columns. No later call may ask for an earlier row.
   */
  endOf(from: number): number {
    let end = this.#rows;
    for (let i = 0; i < this.#columns.length; i++) {
      let ofColumn = this.#ends[i] as number;
      if (ofColumn <= from) {
        const values = this.#columns[i] as readonly (string | null)[];
        const value = values[from];
        ofColumn = from + 1;
        while (ofColumn < this.#rows && values[ofColumn] === value) ofColumn++;
        this.#ends[i] = ofColumn;
      }
      if (ofColumn < end) end = ofColumn;
    }
    return end;
  }
}
