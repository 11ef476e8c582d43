import {
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  getNamedType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { FieldGuard } from '../execution/guard.ts';
import type { Requirements } from './requirements.ts';

/**
 * Creates the guard of a graph. A field has the requirements of itself, of the type that it is on, and of the type of its
 * values. Those of an interface's implementations are on the interface already: Apollo's composition puts them there.
 */
export function createFieldGuard(schema: GraphQLSchema, requirements: Requirements): FieldGuard {
  function visitFields(
    document: DocumentNode,
    found: (field: FieldNode, ids: readonly number[]) => void,
  ): void {
    const typeInfo = new TypeInfo(schema);
    visit(
      document,
      visitWithTypeInfo(typeInfo, {
        Field(field) {
          const [parent, definition] = [typeInfo.getParentType(), typeInfo.getFieldDef()];
          // The name of a type that a client asks for by name is no secret.
          if (!parent || !definition || definition.name.startsWith('__')) return;
          const ids = [
            ...requirements.ofType(parent.name),
            ...requirements.ofField(parent.name, definition.name),
            ...requirements.ofType(getNamedType(definition.type).name),
          ];
          if (ids.length > 0) found(field, ids);
        },
      }),
    );
  }

  return {
    requirementsOf(document) {
      const all = new Set<number>();
      visitFields(document, (_field, ids) => {
        for (const id of ids) all.add(id);
      });
      return [...all].sort((a, b) => a - b);
    },
    deniedIn(document, isGranted) {
      const denied = new Set<FieldNode>();
      visitFields(document, (field, ids) => {
        if (!ids.every(isGranted)) denied.add(field);
      });
      return denied;
    },
  };
}
