import type { FetchNode } from '@apollo/query-planner';
import type { DataObject } from './data.ts';
import { EntityLoader } from './entity-requests.ts';

const none: ReadonlySet<DataObject> = new Set();

/** Entities of one run, as far as its fetches share what they know of them. Most runs have none. */
export class RunEntities {
  #objectsByPath: Map<string, readonly DataObject[]> | undefined;
  #united: Set<DataObject> | undefined;
  #loaders: Map<FetchNode, EntityLoader> | undefined;

  /** Objects that stand at several places, because equal ones became one. */
  get united(): ReadonlySet<DataObject> {
    return this.#united ?? none;
  }

  /** Notes an object that stands for another that is equal. */
  unite(object: DataObject): void {
    this.#united ??= new Set();
    this.#united.add(object);
  }

  /** Objects at a path that will have no others; undefined when nobody has looked for them. */
  objectsAt(path: string): readonly DataObject[] | undefined {
    return this.#objectsByPath?.get(path);
  }

  remember(path: string, objects: readonly DataObject[]): void {
    this.#objectsByPath ??= new Map();
    this.#objectsByPath.set(path, objects);
  }

  /** Loader of the entities that twins ask for. @param first the first twin */
  loaderOf(first: FetchNode): EntityLoader {
    this.#loaders ??= new Map();
    let loader = this.#loaders.get(first);
    if (!loader) {
      loader = new EntityLoader();
      this.#loaders.set(first, loader);
    }
    return loader;
  }
}
