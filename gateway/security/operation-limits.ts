import {
  type ASTVisitor,
  type FieldNode,
  GraphQLError,
  type GraphQLFormattedError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { Counter, type Registry } from 'prom-client';
import type { GatewayConfig } from '../config.ts';

/** Size of an operation, with its fragments as often as they are spread. */
interface Size {
  /** Fields in each other. */
  readonly depth: number;
  /** Fields. */
  readonly height: number;
  readonly aliases: number;
  /** Fields that are in no other. */
  readonly roots: number;
  readonly directives: number;
}

/** Limits: the code, as Apollo Router has it, and the words and the setting of the message. */
const limits = [
  { code: 'MAX_DEPTH_LIMIT', setting: 'OPERATION_MAX_DEPTH', of: 'fields within each other' },
  { code: 'MAX_HEIGHT_LIMIT', setting: 'OPERATION_MAX_HEIGHT', of: 'fields' },
  { code: 'MAX_ALIASES_LIMIT', setting: 'OPERATION_MAX_ALIASES', of: 'aliases' },
  { code: 'MAX_ROOT_FIELDS_LIMIT', setting: 'OPERATION_MAX_ROOT_FIELDS', of: 'root fields' },
  { code: 'MAX_DIRECTIVES_LIMIT', setting: 'OPERATION_MAX_DIRECTIVES', of: 'directives' },
] as const;

type Limits = Pick<GatewayConfig, (typeof limits)[number]['setting']>;

const nothing: Size = { depth: 0, height: 0, aliases: 0, roots: 0, directives: 0 };

/** Counts the operations that were refused, by the code of the limit. */
export type RefusedCounter = Counter<'limit'>;

/** Creates the counter of the operations that limits have refused. */
export function countRefused(metrics: Registry): RefusedCounter {
  return new Counter({
    name: 'gateway_operations_refused_total',
    help: 'Operations that were larger than a limit allows.',
    labelNames: ['limit'],
    registers: [metrics],
  });
}

/** Makes the rule of validation that refuses operations which are larger than the settings allow. */
export function limitOperations(config: Limits, refused: RefusedCounter): ValidationRule {
  return context =>
    ({
      OperationDefinition({ selectionSet, name, directives = [] }) {
        const { depth, height, aliases, roots, directives: inside } = new Sizes(context).of(selectionSet);
        const values = [depth, height, aliases, roots, inside + directives.length];
        for (const [index, { code, setting, of }] of limits.entries()) {
          const value = values[index] ?? 0;
          if (value <= config[setting]) continue;
          refused.inc({ limit: code });
          const subject = name ? `The operation '${name.value}'` : 'The operation';
          context.reportError(
            new GraphQLError(`${subject} has ${value} ${of}, and may have ${config[setting]} (${setting})`, {
              extensions: { limit: code },
            }),
          );
        }
        return false;
      },
      FragmentDefinition: () => false,
    }) satisfies ASTVisitor;
}

/** Code of the limit that an error of validation says was exceeded. */
export function limitOf({ extensions }: Pick<GraphQLFormattedError, 'extensions'>): string | undefined {
  return limits.find(({ code }) => code === extensions?.['limit'])?.code;
}

/** Adds up sizes, each fragment's once. */
class Sizes {
  readonly #context: ValidationContext;
  readonly #sizeByFragment = new Map<string, Size>();

  constructor(context: ValidationContext) {
    this.#context = context;
  }

  of({ selections }: SelectionSetNode): Size {
    let [depth, height, aliases, roots, directives] = [0, 0, 0, 0, 0];
    for (const selection of selections) {
      const size =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? this.#ofFragment(selection.name.value)
          : selection.kind === Kind.FIELD
            ? this.#ofField(selection)
            : this.of(selection.selectionSet);
      depth = Math.max(depth, size.depth);
      height += size.height;
      aliases += size.aliases;
      roots += size.roots;
      directives += size.directives + (selection.directives?.length ?? 0);
    }
    return { depth, height, aliases, roots, directives };
  }

  #ofField({ alias, selectionSet }: FieldNode): Size {
    const below = selectionSet ? this.of(selectionSet) : nothing;
    return {
      ...below,
      depth: below.depth + 1,
      height: below.height + 1,
      aliases: below.aliases + (alias ? 1 : 0),
      roots: 1,
    };
  }

  #ofFragment(name: string): Size {
    const known = this.#sizeByFragment.get(name);
    if (known) return known;
    // One that spreads itself is refused by another rule.
    this.#sizeByFragment.set(name, nothing);
    const fragment = this.#context.getFragment(name);
    const size = fragment ? this.of(fragment.selectionSet) : nothing;
    this.#sizeByFragment.set(name, size);
    return size;
  }
}
