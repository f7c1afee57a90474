/**
 * What this process does with files by itself: it makes folders, and knows whether open files are still in their place
 * and whether more can be opened.
 */
export { FileRoom, requireDescriptor } from './descriptors.ts';
export { makeFolder } from './make-folder.ts';
export { OpenFiles } from './open-files.ts';
