/** `EnvironmentReading` → `environment_reading`, `HTTPServer2` → `http_server2`, `already_so` stays. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** A name or path as a message may have it, however long. */
export function shortened(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200)}…`;
}
