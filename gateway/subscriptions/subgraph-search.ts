import { GraphQLError } from 'graphql';
import { Backoff } from '../../platform/backoff.ts';
import { PorticoError } from '../../platform/errors.ts';
import { GatewayError } from '../gateway-error.ts';

/** Longest time that a subgraph is looked for that a subscription has never reached, in ms. */
const openTimeoutMs = 2_000;
/** Time that a subscription must have been open for its loss to be a new one, in ms. */
const steadyMs = 10_000;

/** Loss of a subgraph, as its subscription sees it. */
export interface SubgraphLoss {
  /** True if the subgraph had begun the subscription. */
  readonly begun: boolean;
  /** Time that the subscription had been open, in ms. */
  readonly openMs: number;
  /** True if there is a cursor after which it can go on. */
  readonly hasCursor: boolean;
  /** True if any event had come. */
  readonly hasBrought: boolean;
}

/** Search for the subgraph of one subscription, each time that it is lost. */
export class SubgraphSearch {
  readonly #backoff = new Backoff({ firstMs: 50, maxMs: 2_000 });
  readonly #resumeTimeoutMs: number;
  /** Time of the first loss since the subgraph was last heard. */
  #lostAtMs: number | undefined;

  /** @param resumeTimeoutMs longest time that a subgraph is looked for after which the subscription can go on, in ms */
  constructor(resumeTimeoutMs: number) {
    this.#resumeTimeoutMs = resumeTimeoutMs;
  }

  /** The subgraph was heard, which ends the search. */
  found(): void {
    this.#lostAtMs = undefined;
    this.#backoff.reset();
  }

  /**
   * The subgraph was lost.
   *
   * @returns the time until it is asked again, in ms, and whether it was heard since it was lost before; undefined when it is
   *   looked for no longer
   */
  lost(loss: SubgraphLoss): { readonly retryInMs: number; readonly isNew: boolean } | undefined {
    const { begun, openMs, hasCursor, hasBrought } = loss;
    const nowMs = performance.now();
    if (openMs > steadyMs) this.found();
    const isNew = this.#lostAtMs === undefined;
    this.#lostAtMs ??= nowMs;
    const patienceMs = hasCursor ? this.#resumeTimeoutMs : openTimeoutMs;
    // A client that asked for what comes from now on, and has got nothing yet, has missed nothing.
    const hasJustBegun = !hasBrought && openMs < openTimeoutMs;
    const mayGoOn = hasCursor || !begun || hasJustBegun;
    if (!mayGoOn || nowMs - this.#lostAtMs > patienceMs) return undefined;
    // Each stream at its own time, since all lost the subgraph at the same.
    return { retryInMs: this.#backoff.next() * Math.random(), isNew };
  }
}

/** Makes the error of a subscription whose subgraph is looked for no longer. @param cursor where a client may go on */
export function lostError(subgraph: string, cause: unknown, cursor: string | undefined): GraphQLError {
  if (cause instanceof GraphQLError) return cause;
  const what =
    cause instanceof PorticoError ? cause.message : `The connection to the subgraph '${subgraph}' was lost`;
  const where = cursor === undefined ? '; what came since is not known' : ' after the cursor';
  const message = `${what}. Subscribe again${where}.`;
  const details = { subgraph, ...(cursor === undefined ? {} : { cursor }) };
  return new GatewayError('SUBGRAPH_UNAVAILABLE', message, { cause, details }).toGraphQLError();
}
