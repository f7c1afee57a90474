/** What this process knows of the files that it has open: whether they are still where they are looked for. */
export { OpenFiles } from './open-files.ts';
