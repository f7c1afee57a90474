/** A JSON Schema document, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;
