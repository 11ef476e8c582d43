import { composeServices } from '@apollo/composition';
import { type GraphQLError, parse } from 'graphql';

/** A subgraph with the schema that it takes part with. */
export interface Subgraph {
  readonly name: string;
  /** Hash of the SDL. */
  readonly hash: string;
  readonly sdl: string;
}

/** One reason why subgraphs do not compose. */
export interface CompositionFault {
  readonly message: string;
  /** Code of Apollo's composition, https://www.apollographql.com/docs/graphos/reference/errors */
  readonly code: string;
}

/** What came of a composition. */
export type CompositionOutcome =
  | { readonly kind: 'composed'; readonly supergraphSdl: string }
  | { readonly kind: 'failed'; readonly faults: readonly CompositionFault[] };

/** Composes subgraphs into a supergraph by the rules of Apollo Federation 2. */
export function compose(subgraphs: readonly Subgraph[]): CompositionOutcome {
  const faults: CompositionFault[] = [];
  const definitions = subgraphs.flatMap(({ name, sdl }) => {
    try {
      return [{ name, url: addressInSupergraph(name), typeDefs: parse(sdl) }];
    } catch (error) {
      faults.push({ code: 'INVALID_GRAPHQL', message: `[${name}] ${(error as GraphQLError).message}` });
      return [];
    }
  });
  if (faults.length > 0) return { kind: 'failed', faults };

  const { supergraphSdl, errors } = composeServices(definitions);
  if (!errors) return { kind: 'composed', supergraphSdl };
  return {
    kind: 'failed',
    faults: errors.map(({ message, extensions }) => ({
      message,
      code: typeof extensions['code'] === 'string' ? extensions['code'] : 'COMPOSITION_FAILED',
    })),
  };
}

/** A supergraph wants an address for each subgraph; the instances' real ones change while it is served. */
function addressInSupergraph(name: string): string {
  return `http://${name}.subgraph.invalid/graphql`;
}
