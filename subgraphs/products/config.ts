import type * as z from 'zod';
import { databaseSettings } from '../../platform/database.ts';
import { subgraphSettings } from '../../platform/graphql/subgraph.ts';

/** Settings of the products process. */
export const settings = subgraphSettings.extend(databaseSettings.shape);
export type ProductsConfig = z.infer<typeof settings>;
