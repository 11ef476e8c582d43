import type { GraphQLFormattedError } from 'graphql';
import type { GatewayConfig } from '../config.ts';
import type { SubgraphAnswer } from '../execution/subgraph-answer.ts';

/** Makes a subgraph's answer what clients may see of it. */
export type ShowAnswer = <A extends SubgraphAnswer>(subgraph: string, answer: A) => A;

/**
 * Makes what goes over each answer of a subgraph: of its extensions those stay that a setting names, and its errors lose
 * their messages, and all that they say but the code, when a setting masks them.
 */
export function showAnswers(
  config: Pick<GatewayConfig, 'SUBGRAPH_ERRORS' | 'SUBGRAPH_EXTENSIONS_TO_CLIENTS'>,
): ShowAnswer {
  const shown = new Set(config.SUBGRAPH_EXTENSIONS_TO_CLIENTS);
  const masks = config.SUBGRAPH_ERRORS === 'mask';
  return (subgraph, answer) => {
    const { errors, extensions } = answer;
    if (extensions === undefined && !(masks && errors?.length)) return answer;
    const entries = Object.entries(extensions ?? {}).filter(([name]) => shown.has(name));
    return {
      ...answer,
      errors: masks ? errors?.map(error => maskError(subgraph, error)) : errors,
      extensions: entries.length > 0 ? Object.fromEntries(entries) : undefined,
    };
  };
}

/** An error of a subgraph of which the client learns where it was, and its code. */
function maskError(subgraph: string, { path, extensions }: GraphQLFormattedError): GraphQLFormattedError {
  const code = extensions?.['code'];
  return {
    message: `The subgraph '${subgraph}' answered with an error`,
    ...(path ? { path } : {}),
    extensions: typeof code === 'string' ? { code } : {},
  };
}
