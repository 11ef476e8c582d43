import { GraphQLError, type ValidationRule } from 'graphql';

/** Rule of validation that refuses operations of a kind that the schema has no type for, which graphql-js finds when it runs one. */
export const rootTypesRule: ValidationRule = context => ({
  OperationDefinition(node) {
    if (context.getSchema().getRootType(node.operation)) return;
    context.reportError(new GraphQLError(`The schema has no ${node.operation}s`, { nodes: node }));
  },
});
