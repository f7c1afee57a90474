/** The package brings no types; this is what is used of it. */
declare module 'fs-native-extensions' {
  /** Locks the whole open file for writing until it is closed: false when somebody else has it. Does not wait. */
  export function tryLock(file: number): boolean;
}
