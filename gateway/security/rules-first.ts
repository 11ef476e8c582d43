import type { ApolloServerPlugin } from '@apollo/server';
import { type DocumentNode, type GraphQLError, parse, type ValidationRule, validate } from 'graphql';

/** Rules of ours for Apollo Server, which has one place for them, beside those of the specification. */
export interface RulesFirst {
  readonly plugin: ApolloServerPlugin;
  readonly rule: ValidationRule;
}

/**
 * Has rules checked before those of the specification: of these some take a time that grows with the square of a document's
 * fields, so that one that is too large must not come to them. What our rules refuse is validated as an empty document, to
 * which their errors belong.
 */
export function checkFirst(rules: readonly ValidationRule[]): RulesFirst {
  const errorsByDocument = new WeakMap<DocumentNode, readonly GraphQLError[]>();
  return {
    plugin: {
      requestDidStart: () =>
        Promise.resolve({
          validationDidStart(context) {
            const errors = validate(context.schema, context.document, rules);
            if (errors.length === 0) return Promise.resolve();
            const document = parse('{ __typename }');
            errorsByDocument.set(document, errors);
            Object.assign(context, { document });
            return Promise.resolve();
          },
        }),
    },
    rule: context => ({
      Document(node) {
        for (const error of errorsByDocument.get(node) ?? []) context.reportError(error);
      },
    }),
  };
}
