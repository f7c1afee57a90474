import type { DuckDBConnection } from '@duckdb/node-api';
import { LIMITS, rowsOfBatch, type ColumnDef, type Mapping, type StoredType } from '../../../core/index.ts';
import { batchOfChunk, readRows } from './cells.ts';
import { seriesKey, SeriesIndex, type SeriesBudget } from './series.ts';
import { CATALOG, OWN, POINTS, quoted, SQL_TYPES } from './sql.ts';

/** A column of a measurement's table. `sql` is its quoted identifier. */
export interface TableColumn {
  name: string;
  role: 'tag' | 'field';
  type: StoredType;
  sql: string;
}

/** The table of one measurement: time, device, then `columns` in the order in which schemas brought them. */
export interface Table {
  measurement: string;
  /** The bare name, as the appender takes it. */
  tableName: string;
  /** The qualified, quoted name. */
  sql: string;
  columns: TableColumn[];
  byName: Map<string, TableColumn>;
  tags: TableColumn[];
  series: SeriesIndex;
}

/**
 * Which table and column holds what. Identifiers are case-insensitive in DuckDB while names in schemas are
 * not, and a field may be called `time`: where a name is taken, a number is added, and two small tables
 * remember the identifiers.
 */
export class Tables {
  readonly #byMeasurement = new Map<string, Table>();
  readonly #budget: SeriesBudget;

  constructor(maxSeries: number = LIMITS.maxSeriesTracked) {
    this.#budget = { left: maxSeries };
  }

  get(measurement: string): Table | undefined {
    return this.#byMeasurement.get(measurement);
  }

  all(): Iterable<Table> {
    return this.#byMeasurement.values();
  }

  /** Reads the tables that exist, and the newest time of their series. */
  async load(connection: DuckDBConnection): Promise<void> {
    const measurements = await readRows(
      connection,
      `SELECT measurement, table_name FROM ${OWN}.measurements ORDER BY ordinal`,
    );
    for (const [measurement, tableName] of measurements) {
      this.#byMeasurement.set(String(measurement), this.#table(String(measurement), String(tableName)));
    }
    const columns = await readRows(
      connection,
      `SELECT measurement, name, role, type, column_name FROM ${OWN}.columns ORDER BY measurement, ordinal`,
    );
    for (const [measurement, name, role, type, columnName] of columns) {
      const table = this.#byMeasurement.get(String(measurement));
      if (table === undefined) continue;
      addColumn(table, {
        name: String(name),
        role: role === 'tag' ? 'tag' : 'field',
        type: type as StoredType,
        sql: quoted(String(columnName)),
      });
    }
    for (const table of this.#byMeasurement.values()) await loadSeries(connection, table);
  }

  /**
   * The table of a mapping, made or widened where needed. Runs in a transaction of its own before the rows':
   * an empty column is harmless should they fail.
   */
  async ensure(connection: DuckDBConnection, mapping: Mapping): Promise<Table> {
    const existing = this.#byMeasurement.get(mapping.measurement);
    const missing = mapping.columns.filter((def) => existing?.byName.has(def.name) !== true);
    if (existing !== undefined && missing.length === 0) return existing;

    const table = existing ?? this.#table(mapping.measurement, this.#freeTableName(mapping.measurement));
    const added = newColumns(table, missing);
    await connection.run('BEGIN TRANSACTION');
    try {
      if (existing === undefined) {
        await connection.run(
          `CREATE TABLE ${table.sql} ("time" TIMESTAMP_NS NOT NULL, "device" VARCHAR NOT NULL)`,
        );
        await connection.run(`INSERT INTO ${OWN}.measurements VALUES ($1, $2, $3)`, [
          mapping.measurement,
          table.tableName,
          this.#byMeasurement.size,
        ]);
      }
      for (const [index, { column, columnName }] of added.entries()) {
        await connection.run(`ALTER TABLE ${table.sql} ADD COLUMN ${column.sql} ${SQL_TYPES[column.type]}`);
        await connection.run(`INSERT INTO ${OWN}.columns VALUES ($1, $2, $3, $4, $5, $6)`, [
          mapping.measurement,
          column.name,
          column.role,
          column.type,
          columnName,
          table.columns.length + index,
        ]);
      }
      await connection.run('COMMIT');
    } catch (error) {
      await connection.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
    for (const { column } of added) addColumn(table, column);
    this.#byMeasurement.set(mapping.measurement, table);
    return table;
  }

  #table(measurement: string, tableName: string): Table {
    return {
      measurement,
      tableName,
      sql: `${CATALOG}.${POINTS}.${quoted(tableName)}`,
      columns: [],
      byName: new Map(),
      tags: [],
      series: new SeriesIndex(this.#budget),
    };
  }

  #freeTableName(measurement: string): string {
    const taken = new Set([...this.#byMeasurement.values()].map((table) => table.tableName.toLowerCase()));
    return freeIdentifier(measurement, taken);
  }
}

function addColumn(table: Table, column: TableColumn): void {
  table.columns.push(column);
  table.byName.set(column.name, column);
  if (column.role === 'tag') table.tags.push(column);
}

function newColumns(table: Table, defs: readonly ColumnDef[]): { column: TableColumn; columnName: string }[] {
  const taken = new Set(['time', 'device', 'rowid']);
  for (const column of table.columns) taken.add(column.sql.slice(1, -1).replaceAll('""', '"').toLowerCase());
  return defs.map((def) => {
    const columnName = freeIdentifier(def.name, taken);
    taken.add(columnName.toLowerCase());
    return {
      columnName,
      column: { name: def.name, role: def.role, type: def.type, sql: quoted(columnName) },
    };
  });
}

/** The name itself, or with a number behind it where that is taken. */
function freeIdentifier(name: string, taken: ReadonlySet<string>): string {
  const base = name.replaceAll('\0', '').trim() === '' ? 'unnamed' : name.replaceAll('\0', '');
  let identifier = base;
  for (let n = 2; taken.has(identifier.toLowerCase()); n++) identifier = `${base}_${n}`;
  return identifier;
}

async function loadSeries(connection: DuckDBConnection, table: Table): Promise<void> {
  const tags = table.tags.map((tag) => `, ${tag.sql}`).join('');
  const result = await connection.stream(
    `SELECT epoch_ns(max("time")), "device"${tags} FROM ${table.sql} GROUP BY ALL LIMIT ${LIMITS.maxSeriesTracked + 1}`,
  );
  for await (const chunk of result) {
    for (const [newestNs, device, ...values] of rowsOfBatch(batchOfChunk(chunk))) {
      if (typeof newestNs !== 'bigint' || typeof device !== 'string') continue;
      const key = seriesKey(
        device,
        values.map((value) => (typeof value === 'string' ? value : null)),
      );
      table.series.restore(key, newestNs);
    }
  }
}
