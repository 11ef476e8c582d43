/** Any but the characters that JSON writes as they are: it escapes others, and surrogates may stand alone. */
const escaped = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** Writes a string as JSON. Most strings have nothing to escape, which takes less time to see than to escape. */
export function quote(text: string): string {
  return escaped.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Writes a leaf, or a whole value, as JSON. */
export function toJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      // JSON has no infinity, which a number of a subgraph's answer may be too large for.
      return Number.isFinite(value) ? String(value) : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      return JSON.stringify(value) ?? 'null';
  }
}
