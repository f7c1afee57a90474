import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { MillraceError, messageOf } from '../../core/index.ts';
import { makeFolder } from '../../files/index.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { DuckDbStore } from './store.ts';
import type { Store } from '../store.ts';

export interface DuckDbOptions extends DatabaseOptions {
  /** The database file; it and its folder are made where missing. Temporary files go beside it. */
  path: string;
}

/** A file's lock keeps other processes out, but not a second store of this one: so these are remembered. */
const openHere = new Set<string>();

/**
 * Opens the embedded store. Throws `data_dir_in_use`, `data_dir_unwritable` or `data_dir_version`, and then
 * has changed nothing.
 */
export async function openDuckDbStore(options: DuckDbOptions): Promise<Store> {
  const file = await absolute(options.path);
  if (openHere.has(file)) {
    throw new MillraceError('data_dir_in_use', `${file} is already open in this process`);
  }
  openHere.add(file);
  try {
    const open = (): Promise<Database> => Database.open(file, options);
    return new DuckDbStore(await open(), open, () => openHere.delete(file));
  } catch (error) {
    openHere.delete(file);
    throw error;
  }
}

async function absolute(file: string): Promise<string> {
  const folder = path.dirname(path.resolve(file));
  try {
    makeFolder(folder);
    return path.join(await realpath(folder), path.basename(file));
  } catch (error) {
    throw new MillraceError('data_dir_unwritable', `${folder}: ${messageOf(error)}`, { cause: error });
  }
}
