import type { CodegenInput } from '../../platform/graphql/codegen-input.ts';
import { orderEventData } from './events.ts';

/** Input of the code generation (`codegen.ts` at the root). */
export const codegenInput: CodegenInput = {
  mappers: { Order: '../order.ts#PlacedOrder', OrderItem: '../resolvers.ts#OrderItemParent' },
  events: orderEventData,
};
