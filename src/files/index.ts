/** What this process does with files by itself: it makes folders, and knows whether open files are still in their place. */
export { makeFolder } from './make-folder.ts';
export { OpenFiles } from './open-files.ts';
