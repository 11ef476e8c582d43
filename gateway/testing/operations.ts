import * as fc from 'fast-check';
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isUnionType,
} from 'graphql';

/** An operation and values for its variables. */
export interface RandomOperation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface Field {
  readonly kind: 'field';
  readonly name: string;
  readonly alias: string | undefined;
  readonly args: string;
  readonly directive: string;
  readonly selections: readonly Selection[];
  /** True if it is asked for a second time under another name, so that other fetches ask for the same entities. */
  readonly isTwice: boolean;
}

interface Fragment {
  readonly kind: 'fragment';
  readonly type: string;
  readonly isNamed: boolean;
  readonly directive: string;
  readonly selections: readonly Selection[];
}

type Selection = Field | Fragment;

const directives = [
  '',
  '',
  '',
  '',
  ' @include(if: $yes)',
  ' @skip(if: $no)',
  ' @skip(if: true)',
  ' @include(if: $no)',
];

/** Makes random queries and mutations that are shaped as a schema allows. Not all are valid: fields of one name may not merge. */
export function operationsOf(schema: GraphQLSchema, depth = 4): fc.Arbitrary<RandomOperation> {
  const [query, mutation] = [schema.getQueryType(), schema.getMutationType()];
  const roots = fc.constantFrom('query', ...(mutation ? ['mutation'] : []));
  return roots
    .chain(kind => {
      const root = (kind === 'query' ? query : mutation) as GraphQLNamedType;
      const selections = selectionsOf(schema, root, depth);
      return fc.tuple(
        fc.constant(kind),
        selections,
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
      );
    })
    .map(([kind, selections, yes, no, int]) => {
      const fragments: string[] = [];
      const body = render(selections, fragments);
      const used = [body, ...fragments].join('\n');
      const declared = [
        ['yes', 'Boolean!'],
        ['no', 'Boolean! = false'],
        ['int', 'Int = 2'],
      ].filter(([name]) => new RegExp(`\\$${name}\\b`).test(used));
      const head = declared.map(([name, type]) => `$${name}: ${type}`).join(', ');
      const values: Record<string, unknown> = { yes, ...(no ? { no } : {}), ...(int > 0 ? { int } : {}) };
      const names = new Set(declared.map(([name]) => name));
      return {
        query: `${kind}${head ? ` (${head})` : ''} ${used}`,
        variables: Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name))),
      };
    });
}

function selectionsOf(
  schema: GraphQLSchema,
  type: GraphQLNamedType,
  depth: number,
): fc.Arbitrary<readonly Selection[]> {
  const fields =
    isUnionType(type) || !isCompositeType(type)
      ? []
      : Object.values(type.getFields()).filter(
          field => depth > 1 || !isCompositeType(getNamedType(field.type)),
        );
  const typename: fc.Arbitrary<Selection> = fc.constantFrom(undefined, 'kind').map(alias => ({
    kind: 'field',
    name: '__typename',
    alias,
    args: '',
    directive: '',
    selections: [],
    isTwice: false,
  }));
  const parts: fc.Arbitrary<Selection>[] = [typename, ...fields.map(field => fieldOf(schema, field, depth))];
  if (depth > 0 && isAbstractType(type)) {
    const types = [...schema.getPossibleTypes(type), ...(isUnionType(type) ? [] : [type])];
    for (const possible of types) parts.push(fragmentOf(schema, possible, depth));
  } else if (depth > 1 && isCompositeType(type)) parts.push(fragmentOf(schema, type, depth - 1));
  return fc.array(fc.oneof(...parts), { minLength: 1, maxLength: 5 });
}

function fieldOf(
  schema: GraphQLSchema,
  field: GraphQLField<unknown, unknown>,
  depth: number,
): fc.Arbitrary<Selection> {
  const named = getNamedType(field.type as GraphQLOutputType);
  const selections = isCompositeType(named)
    ? fc.constant(null).chain(() => selectionsOf(schema, named, depth - 1))
    : fc.constant([]);
  return fc.record({
    kind: fc.constant('field' as const),
    name: fc.constant(field.name),
    alias: fc.option(fc.constantFrom('x', 'y', `my${field.name}`), { nil: undefined, freq: 3 }),
    args: argsOf(field.args),
    directive: fc.constantFrom(...directives),
    selections,
    isTwice: isCompositeType(named) ? fc.constantFrom(true, false, false, false) : fc.constant(false),
  });
}

function fragmentOf(schema: GraphQLSchema, type: GraphQLNamedType, depth: number): fc.Arbitrary<Selection> {
  return fc.record({
    kind: fc.constant('fragment' as const),
    type: fc.constant(type.name),
    isNamed: fc.boolean(),
    directive: fc.constantFrom(...directives),
    selections: fc.constant(null).chain(() => selectionsOf(schema, type, depth - 1)),
  });
}

function argsOf(args: readonly GraphQLArgument[]): fc.Arbitrary<string> {
  if (args.length === 0) return fc.constant('');
  return fc
    .tuple(
      ...args.map(({ name, type, defaultValue }) => {
        const given = literalOf(type).map(value => `${name}: ${value}`);
        return isNonNullType(type) && defaultValue === undefined ? given : fc.option(given, { nil: '' });
      }),
    )
    .map(given => given.filter(each => each !== '').join(', '))
    .map(text => (text ? `(${text})` : ''));
}

function literalOf(type: GraphQLInputType): fc.Arbitrary<string> {
  const nullable = getNullableType(type) as GraphQLInputType;
  if (isListType(nullable))
    return fc
      .array(literalOf(nullable.ofType as GraphQLInputType), { maxLength: 2 })
      .map(each => `[${each.join(', ')}]`);
  if (isEnumType(nullable)) return fc.constantFrom(...nullable.getValues().map(({ name }) => name));
  if (isInputObjectType(nullable))
    return fc
      .tuple(
        ...Object.values(nullable.getFields()).map(field =>
          literalOf(field.type).map(value => `${field.name}: ${value}`),
        ),
      )
      .map(fields => `{ ${fields.join(', ')} }`);
  switch (getNamedType(nullable).name) {
    case 'Int':
      return fc.constantFrom('0', '1', '2', '$int');
    case 'Float':
      return fc.constantFrom('0.5', '2');
    case 'Boolean':
      return fc.constantFrom('true', 'false', '$yes');
    default:
      return fc.constantFrom('"1"', '"2"', '"x"');
  }
}

function render(selections: readonly Selection[], fragments: string[]): string {
  return `{ ${selections.map(each => renderOne(each, fragments)).join(' ')} }`;
}

function renderOne(selection: Selection, fragments: string[]): string {
  const { selections, directive } = selection;
  if (selection.kind === 'field') {
    const { alias, name, args, isTwice } = selection;
    const written = (alias: string | undefined) => {
      const below = selections.length > 0 ? ` ${render(selections, fragments)}` : '';
      return `${alias === undefined ? '' : `${alias}: `}${name}${args}${directive}${below}`;
    };
    return isTwice ? `${written(alias)} ${written(`second_${alias ?? name}`)}` : written(alias);
  }
  if (!selection.isNamed) return `... on ${selection.type}${directive} ${render(selections, fragments)}`;
  const body = render(selections, fragments);
  const name = `F${fragments.length}`;
  fragments.push(`fragment ${name} on ${selection.type} ${body}`);
  return `...${name}${directive}`;
}
