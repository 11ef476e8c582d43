const copyPattern = /^portico_copy\d+__(.+)$/;

/** Name of the field that a name in the tree of answers is a copy of; the name itself for any other. */
export function originalOf(name: string): string {
  return copyPattern.exec(name)?.[1] ?? name;
}

/** Name of a copy of a field. @param index tells it from all other copies of the supergraph */
export function copyNameOf(field: string, index: number): string {
  return `portico_copy${index}__${field}`;
}

/** Tells whether a field is a copy. */
export function isCopy(name: string): boolean {
  return copyPattern.test(name);
}
