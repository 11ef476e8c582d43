import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  parse,
  print,
  visit,
} from 'graphql';
import { argumentsOf } from '../execution/directives.ts';

/** Something that a caller must have for a field. Of lists of lists, all of one inner list are enough. */
export type Requirement =
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'scopes'; readonly anyOf: readonly (readonly string[])[] }
  | { readonly kind: 'policies'; readonly anyOf: readonly (readonly string[])[] };

/** Requirements of a supergraph, by the places that have them. */
export interface Requirements {
  /** All that there are, each once; its index is its id. */
  readonly all: readonly Requirement[];
  /** Ids of the requirements of an object, interface, scalar or enum. */
  ofType(type: string): readonly number[];
  /** Ids of those of a field itself, without those of its type. */
  ofField(type: string, field: string): readonly number[];
}

/** A supergraph without the features that Apollo Gateway does not know, and what they ask for. */
export interface GuardedSupergraph {
  readonly supergraphSdl: string;
  /** Undefined when no field and no type asks for anything. */
  readonly requirements: Requirements | undefined;
}

/**
 * Specifications that the gateway enforces, by the names of their directives.
 *
 * @see https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/directives
 */
const features = { authenticated: 'v0.1', requiresScopes: 'v0.1', policy: 'v0.1' } as const;
type Feature = keyof typeof features;

const none: readonly number[] = [];

/** Takes the directives of authorization out of a supergraph. Features that are not known stay, and are refused later. */
export function takeRequirements(supergraphSdl: string): GuardedSupergraph {
  if (!supergraphSdl.includes('for: SECURITY')) return { supergraphSdl, requirements: undefined };
  const document = parse(supergraphSdl, { noLocation: true });
  const featureByDirective = linkedFeatures(document);
  if (featureByDirective.size === 0) return { supergraphSdl, requirements: undefined };
  const collector = new Collector(featureByDirective);
  for (const definition of document.definitions) collector.collect(definition);
  return {
    supergraphSdl: print(withoutDirectives(document, featureByDirective)),
    requirements: collector.requirements,
  };
}

/** Features that the supergraph links, by the names that their directives have there. */
function linkedFeatures(document: DocumentNode): Map<string, Feature> {
  const found = new Map<string, Feature>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const link of definition.directives ?? []) {
      const feature = featureOf(link);
      const { as } = argumentsOf(link);
      if (feature) found.set(typeof as === 'string' ? as : feature, feature);
    }
  }
  return found;
}

/** The feature that a link is for, if it is enforced here. */
function featureOf(link: ConstDirectiveNode): Feature | undefined {
  if (link.name.value !== 'link') return undefined;
  const { url } = argumentsOf(link);
  return (Object.keys(features) as Feature[]).find(
    feature => url === `https://specs.apollo.dev/${feature}/${features[feature]}`,
  );
}

class Collector {
  readonly #featureByDirective: ReadonlyMap<string, Feature>;
  readonly #idByText = new Map<string, number>();
  readonly #all: Requirement[] = [];
  readonly #byPlace = new Map<string, readonly number[]>();

  constructor(featureByDirective: ReadonlyMap<string, Feature>) {
    this.#featureByDirective = featureByDirective;
  }

  get requirements(): Requirements | undefined {
    if (this.#all.length === 0) return undefined;
    return {
      all: this.#all,
      ofType: type => this.#byPlace.get(type) ?? none,
      ofField: (type, field) => this.#byPlace.get(`${type}.${field}`) ?? none,
    };
  }

  collect(definition: DefinitionNode): void {
    if (!('name' in definition) || !definition.name) return;
    const { name } = definition;
    this.#add(name.value, definition.directives as readonly ConstDirectiveNode[] | undefined);
    const fields = 'fields' in definition ? definition.fields : undefined;
    for (const field of (fields ?? []) as readonly FieldDefinitionNode[])
      this.#add(`${name.value}.${field.name.value}`, field.directives);
  }

  #add(place: string, directives: readonly ConstDirectiveNode[] = []): void {
    const ids = directives.flatMap(directive => {
      const feature = this.#featureByDirective.get(directive.name.value);
      return feature ? [this.#idOf(requirementOf(feature, directive))] : [];
    });
    if (ids.length > 0) this.#byPlace.set(place, ids);
  }

  #idOf(requirement: Requirement): number {
    const text = JSON.stringify(requirement);
    const known = this.#idByText.get(text);
    if (known !== undefined) return known;
    this.#all.push(requirement);
    this.#idByText.set(text, this.#all.length - 1);
    return this.#all.length - 1;
  }
}

function requirementOf(feature: Feature, directive: ConstDirectiveNode): Requirement {
  const { scopes, policies } = argumentsOf(directive) as { scopes?: string[][]; policies?: string[][] };
  switch (feature) {
    case 'authenticated':
      return { kind: 'authenticated' };
    case 'requiresScopes':
      return { kind: 'scopes', anyOf: scopes ?? [] };
    case 'policy':
      return { kind: 'policies', anyOf: policies ?? [] };
    default:
      return feature satisfies never;
  }
}

/** Takes the directives, their definitions and their links away. Their scalars stay: they harm nobody. */
function withoutDirectives(document: DocumentNode, names: ReadonlyMap<string, Feature>): DocumentNode {
  return visit(document, {
    DirectiveDefinition: ({ name }) => (names.has(name.value) ? null : undefined),
    Directive: directive =>
      names.has(directive.name.value) || featureOf(directive as ConstDirectiveNode) ? null : undefined,
  });
}
