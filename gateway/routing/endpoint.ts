import { isInZone, metadataKeys, type ServiceInstance } from '../../platform/registry/instance.ts';
import { graphqlUrlOf } from '../../platform/service-client.ts';

/** Consecutive failures that take an instance out of use. */
const failuresToEject = 3;
/** Length of the first ejection, in ms; each further one lasts twice as long. */
const firstEjectionMs = 1_000;
const maxEjectionMs = 60_000;

type EndpointState =
  | { readonly kind: 'in'; failures: number }
  /** Out of use until a time; then it gets requests again, and one failure takes it out for twice as long. */
  | { readonly kind: 'ejected'; readonly untilMs: number; readonly ejections: number };

/** An address, and its parts as requests take them. */
export interface Address {
  readonly url: string;
  readonly origin: string;
  readonly path: string;
}

/** Takes an address apart. */
export function addressOf(url: string): Address {
  const { origin, pathname, search } = new URL(url);
  return { url, origin, path: pathname + search };
}

interface EndpointOptions {
  /** Zone of the gateway. */
  readonly zone?: string | undefined;
  readonly now?: () => number;
}

/** One instance of a subgraph, as requests are sent to it. */
export class Endpoint {
  readonly id: string;
  readonly subgraph: string;
  /** True if it is in the gateway's zone. */
  readonly isNear: boolean;
  #address: Address;
  readonly #subscriptionsPath: string | undefined;
  /** Protocol that it registered for them. */
  readonly subscriptionsProtocol: string | undefined;
  /** Requests that it has not answered yet. */
  outstanding = 0;
  #state: EndpointState = { kind: 'in', failures: 0 };
  readonly #now: () => number;

  constructor(subgraph: string, instance: ServiceInstance, { zone, now = Date.now }: EndpointOptions = {}) {
    this.id = instance.id;
    this.subgraph = subgraph;
    this.isNear = isInZone(instance, zone);
    const { metadata } = instance;
    this.#address = addressOf(graphqlUrlOf(instance));
    this.#subscriptionsPath = metadata[metadataKeys.subscriptionsPath] || undefined;
    this.subscriptionsProtocol = metadata[metadataKeys.subscriptionsProtocol] || undefined;
    this.#now = now;
  }

  /** Address of its GraphQL endpoint, over HTTP. */
  get address(): Address {
    return this.#address;
  }

  /** Address of its subscriptions, over HTTP. */
  get subscriptionsUrl(): string {
    const { url } = this.#address;
    return new URL(this.#subscriptionsPath ?? url, url).href;
  }

  /** Its GraphQL is served where redirects led, on the same host and port. */
  movedTo(address: Address): void {
    this.#address = address;
  }

  /** True if it is out of use for its failures. */
  get ejected(): boolean {
    return this.#state.kind === 'ejected' && this.#state.untilMs > this.#now();
  }

  /** Time at which the ejection ends, in ms since 1970; 0 when there is none. */
  get ejectedUntilMs(): number {
    return this.#state.kind === 'ejected' ? this.#state.untilMs : 0;
  }

  /** It answered. */
  succeeded(): void {
    if (this.#state.kind === 'in') this.#state.failures = 0;
    else if (!this.ejected) this.#state = { kind: 'in', failures: 0 };
  }

  /** It did not answer, or not with GraphQL. @returns whether this takes it out of use */
  failed(): boolean {
    const state = this.#state;
    switch (state.kind) {
      case 'in':
        state.failures += 1;
        if (state.failures < failuresToEject) return false;
        this.#eject(1);
        return true;
      case 'ejected':
        if (this.ejected) return false;
        this.#eject(state.ejections + 1);
        return true;
    }
  }

  #eject(ejections: number): void {
    const lastsMs = Math.min(firstEjectionMs * 2 ** (ejections - 1), maxEjectionMs);
    this.#state = { kind: 'ejected', untilMs: this.#now() + lastsMs, ejections };
  }
}
