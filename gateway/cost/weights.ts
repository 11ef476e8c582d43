import {
  type ConstDirectiveNode,
  type FieldNode,
  type GraphQLNamedType,
  isLeafType,
  Kind,
  parse,
} from 'graphql';
import { argumentsOf } from '../execution/directives.ts';

/** Sizes of a list, as `@listSize` has them. */
export interface ListSize {
  readonly assumedSize?: number | null;
  /** Arguments whose values are the number of items. */
  readonly slicingArguments?: readonly string[] | null;
  /** Fields of the value that have the items, such as `edges`; without them the field itself is the list. */
  readonly sizedFields?: readonly string[] | null;
}

/** Weights and sizes that a supergraph declares. */
export interface Weights {
  /** Cost of each value of a field: its own, or its type's, or 1 for an object and nothing for a leaf. */
  weightOf(parent: GraphQLNamedType, field: string, type: GraphQLNamedType): number;
  /** Cost of the arguments that a field is given. */
  argumentsCost(parent: GraphQLNamedType, node: FieldNode): number;
  listSizeOf(type: string, field: string): ListSize | undefined;
}

const specification = 'https://specs.apollo.dev/cost/v0.1';

/**
 * Reads `@cost` and `@listSize` of a supergraph, under the names that it links them by.
 *
 * @see https://ibm.github.io/graphql-specs/cost-spec.html
 */
export function readWeights(supergraphSdl: string): Weights {
  const weights = new Map<string, number>();
  const sizes = new Map<string, ListSize>();
  if (supergraphSdl.includes(specification)) {
    const { definitions } = parse(supergraphSdl, { noLocation: true });
    const schema = definitions.find(each => each.kind === Kind.SCHEMA_DEFINITION);
    const names = namesOf(schema?.directives ?? []);
    const add = (place: string, directives: readonly ConstDirectiveNode[] = []) => {
      for (const directive of directives) {
        const given = argumentsOf(directive);
        if (directive.name.value === names.cost) weights.set(place, Number(given['weight']));
        if (directive.name.value === names.listSize) sizes.set(place, given as ListSize);
      }
    };
    for (const definition of definitions) {
      if (!('name' in definition) || !definition.name) continue;
      const type = definition.name.value;
      add(type, definition.directives as readonly ConstDirectiveNode[] | undefined);
      if (
        definition.kind !== Kind.OBJECT_TYPE_DEFINITION &&
        definition.kind !== Kind.INTERFACE_TYPE_DEFINITION
      )
        continue;
      for (const field of definition.fields ?? []) {
        const place = `${type}.${field.name.value}`;
        add(place, field.directives);
        for (const argument of field.arguments ?? [])
          add(`${place}(${argument.name.value})`, argument.directives);
      }
    }
  }
  return {
    weightOf: (parent, field, type) =>
      weights.get(`${parent.name}.${field}`) ?? weights.get(type.name) ?? (isLeafType(type) ? 0 : 1),
    argumentsCost: (parent, node) =>
      (node.arguments ?? []).reduce(
        (sum, { name }) => sum + (weights.get(`${parent.name}.${node.name.value}(${name.value})`) ?? 0),
        0,
      ),
    listSizeOf: (type, field) => sizes.get(`${type}.${field}`),
  };
}

/** Names of the directives: that of the specification is its own, others are imported or have its name before them. */
function namesOf(links: readonly ConstDirectiveNode[]): { cost: string; listSize: string } {
  const link = links.map(argumentsOf).find(({ url }) => url === specification);
  const name = typeof link?.['as'] === 'string' ? link['as'] : 'cost';
  const imports = (link?.['import'] ?? []) as readonly (string | { name: string; as?: string })[];
  const imported = (wanted: string): string | undefined => {
    for (const each of imports) {
      const from = typeof each === 'string' ? each : each.name;
      if (from === wanted) return (typeof each === 'string' ? each : (each.as ?? each.name)).slice(1);
    }
    return undefined;
  };
  return { cost: imported('@cost') ?? name, listSize: imported('@listSize') ?? `${name}__listSize` };
}
