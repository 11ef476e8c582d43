/** An object of a subgraph's answer, or of the tree that the answers are merged into. */
export type DataObject = Record<string, unknown>;

/** Tells objects from lists, leaves and null. */
export function isDataObject(value: unknown): value is DataObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A field of an object; undefined when the object has none of its own, whatever its prototype has: functions, which no data
 * is, and itself as `__proto__`. To see that takes less time than to ask whether the field is the object's own.
 */
export function ownField(object: DataObject, name: string): unknown {
  const value = object[name];
  return typeof value === 'function' || value === Object.prototype ? undefined : value;
}

/** Sets a field of an object, also one that is named as an accessor of every object is (`__proto__`). */
export function setField(object: DataObject, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else object[name] = value;
}

/** Merges an answer into the tree: objects by field, lists of equal length by index; other values replace. */
export function mergeInto(target: DataObject, source: DataObject): void {
  // Answers are of JSON, and inherit nothing that is enumerable.
  for (const name in source) setField(target, name, merged(ownField(target, name), source[name]));
}

/** Copies a value of a subgraph's answer, with all that is in it. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (!isDataObject(value)) return value;
  const copy: DataObject = {};
  for (const name of Object.keys(value)) setField(copy, name, copyOf(value[name]));
  return copy as T;
}

function merged(target: unknown, source: unknown): unknown {
  if (target === undefined || target === source) return source;
  if (isDataObject(target) && isDataObject(source)) {
    mergeInto(target, source);
    return target;
  }
  if (Array.isArray(target) && Array.isArray(source) && target.length === source.length) {
    source.forEach((value, index) => {
      target[index] = merged(target[index], value);
    });
    return target;
  }
  return source;
}
