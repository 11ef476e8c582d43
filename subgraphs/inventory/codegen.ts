import type { CodegenInput } from '../../platform/graphql/codegen-input.ts';

/** Input of the code generation (`codegen.ts` at the root). */
export const codegenInput: CodegenInput = {
  mappers: { Product: '../resolvers.ts#ProductParent' },
};
