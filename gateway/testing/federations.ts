import {
  abstractTypes,
  entityInterfaces,
  growingUnions,
  interfaceObject,
  interfaceTrees,
} from './federations/abstract-types.ts';
import type { FeatureFederation } from './federations/feature-federation.ts';
import { hidden, movingFields, providedFields } from './federations/field-directives.ts';
import { compositeKeys, keyChains, nestedKeys } from './federations/keys.ts';
import { mutations } from './federations/mutations.ts';
import { chains, requiredArguments, requiredObjects, requiredTwice } from './federations/required-fields.ts';
import { shop } from './federations/shop.ts';
import { deepLists, nestedValues, values } from './federations/values.ts';

/** Federations by the features that they are made of. */
export const federations: Readonly<Record<string, FeatureFederation>> = {
  shop,
  abstractTypes,
  compositeKeys,
  interfaceObject,
  values,
  keyChains,
  requiredArguments,
  requiredTwice,
  nestedValues,
  hidden,
  chains,
  requiredObjects,
  nestedKeys,
  movingFields,
  entityInterfaces,
  growingUnions,
  deepLists,
  providedFields,
  mutations,
  interfaceTrees,
};
