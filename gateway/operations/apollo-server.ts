import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { Logger } from '../../platform/log.ts';
import type { FormatError } from '../format.ts';
import type { Apollo, OperationContext } from '../operation-context.ts';
import type { Protection } from '../security/protection.ts';
import { checkFirst } from '../security/rules-first.ts';
import { maxDocumentTokens } from '../subscriptions/operation.ts';
import { createSwappingGateway } from '../supergraph/graph/apollo-gateway.ts';
import type { Graph } from '../supergraph/graph/graph.ts';
import type { HotOperations } from '../supergraph/graph/hot-operations.ts';
import type { ServedGraph } from '../supergraph/served-graph.ts';
import type { KnownOperations } from './known-operations.ts';

interface ApolloOptions {
  readonly hotOperations: HotOperations;
  readonly known: KnownOperations;
  readonly formatError: FormatError;
  readonly protection: Protection;
  readonly log: Logger;
}

/** Apollo Server, which needs a graph to start. */
export interface StartedApollo {
  /** Undefined until it has started. */
  readonly current: Apollo | undefined;
  /** Starts it with the first graph; it follows the served graph from then on. */
  start(first: Graph, served: ServedGraph): Promise<void>;
}

/** Creates Apollo Server, which runs operations the first time, and all that are not only executed. */
export function createApollo({
  hotOperations,
  known,
  formatError,
  protection: { validationRules, sharedQueries },
  log,
}: ApolloOptions): StartedApollo {
  let current: Apollo | undefined;
  const ownRules = checkFirst(validationRules);
  return {
    get current() {
      return current;
    },
    async start(first, served) {
      const onGraph: ServedGraph['onGraph'] = listener => {
        listener(first);
        return served.onGraph(graph => {
          if (graph !== first) listener(graph);
        });
      };
      const apollo: Apollo = new ApolloServer<OperationContext>({
        gateway: createSwappingGateway(
          { onGraph },
          {
            onServed: graph => known.serve(graph),
            onOperation(source, operation, graph) {
              hotOperations.see(operation);
              known.add(source, operation, graph);
            },
          },
        ),
        formatError,
        // A rule of ours refuses it where it is to be.
        introspection: true,
        parseOptions: { maxTokens: maxDocumentTokens },
        validationRules: [ownRules.rule],
        ...(sharedQueries ? { persistedQueries: { cache: sharedQueries } } : {}),
        includeStacktraceInErrorResponses: false,
        stopOnTerminationSignals: false,
        logger: log,
        plugins: [
          ownRules.plugin,
          ApolloServerPluginLandingPageDisabled(),
          ApolloServerPluginUsageReportingDisabled(),
        ],
      });
      await apollo.start();
      current = apollo;
    },
  };
}
