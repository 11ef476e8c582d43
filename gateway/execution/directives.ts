import { type ConstDirectiveNode, type DirectiveNode, type ValueNode, valueFromASTUntyped } from 'graphql';

/** The value of an argument of a directive, as it is written; undefined when it is not given. */
export function argumentOf(directive: DirectiveNode, name: string): ValueNode | undefined {
  return directive.arguments?.find(each => each.name.value === name)?.value;
}

/** Values of all arguments that a directive of a schema is given. */
export function argumentsOf({
  arguments: given = [],
}: ConstDirectiveNode): Readonly<Record<string, unknown>> {
  return Object.fromEntries(given.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]));
}
