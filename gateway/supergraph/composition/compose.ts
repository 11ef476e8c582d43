import { composeServices } from '@apollo/composition';
import { type GraphQLError, getLocation, parse, Source } from 'graphql';

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
  /** Places in the subgraphs' SDLs, as far as they are known; lines and columns count from 1. */
  readonly locations: readonly SdlLocation[];
}

/** A place in the SDL of a subgraph. */
export interface SdlLocation {
  readonly subgraph: string;
  readonly line: number;
  readonly column: number;
}

/** Outcome of a composition. */
export type CompositionOutcome =
  | { readonly kind: 'composed'; readonly supergraphSdl: string }
  | {
      readonly kind: 'failed';
      readonly faults: readonly CompositionFault[];
      /** What composes is not let in by the launch policy, or waits for an operator. @default it does not compose */
      readonly because?: 'policy' | 'approval';
    };

/** Composes subgraphs into a supergraph by the rules of Apollo Federation 2. */
export function compose(subgraphs: readonly Subgraph[]): CompositionOutcome {
  const faults: CompositionFault[] = [];
  const definitions = subgraphs.flatMap(({ name, sdl }) => {
    try {
      return [{ name, url: addressInSupergraph(name), typeDefs: parse(new Source(sdl, name)) }];
    } catch (error) {
      faults.push(faultOf(error as GraphQLError, 'INVALID_GRAPHQL', `[${name}] `));
      return [];
    }
  });
  if (faults.length > 0) return { kind: 'failed', faults };

  const { supergraphSdl, errors } = composeServices(definitions);
  if (!errors) return { kind: 'composed', supergraphSdl };
  return {
    kind: 'failed',
    faults: errors.map(error => faultOf(error, 'COMPOSITION_FAILED')),
  };
}

function faultOf(error: GraphQLError, defaultCode: string, prefix = ''): CompositionFault {
  const { message, extensions, nodes = [], source, positions = [] } = error;
  const code = extensions['code'];
  const places = [
    ...nodes.flatMap(({ loc }) => (loc ? [{ source: loc.source, position: loc.start }] : [])),
    // An SDL that can't be parsed has no nodes.
    ...(source && nodes.length === 0 ? positions.map(position => ({ source, position })) : []),
  ];
  return {
    message: `${prefix}${message}`,
    code: typeof code === 'string' ? code : defaultCode,
    locations: places.map(place => ({
      // Each SDL was parsed under its subgraph's name.
      subgraph: place.source.name,
      ...getLocation(place.source, place.position),
    })),
  };
}

/** A supergraph wants an address for each subgraph; the instances' real ones change while it is served. */
function addressInSupergraph(name: string): string {
  return `http://${name}.subgraph.invalid/graphql`;
}
