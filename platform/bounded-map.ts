/** A map that forgets what was added first when it has too many entries. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    super();
    this.#maxEntries = maxEntries;
  }

  override set(key: Key, value: Value): this {
    super.set(key, value);
    const [first] = this.size > this.#maxEntries ? this.keys() : [];
    if (first !== undefined) this.delete(first);
    return this;
  }
}
