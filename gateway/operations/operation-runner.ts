import { type ExecutionResult, OperationTypeNode } from 'graphql';
import { Counter, type Registry } from 'prom-client';
import { LightAbort } from '../abort.ts';
import { Deduplication, type Executed, type Waiter } from '../deduplication.ts';
import { isDataObject } from '../execution/data.ts';
import { type FormatError, formatResult } from '../format.ts';
import { type Refusal, refusalIn } from '../gateway-error.ts';
import { type HeaderRules, type PassedHeaders, passHeaders } from '../header-rules.ts';
import type { OperationContext } from '../operation-context.ts';
import type { OperationCaller } from '../security/operation-caller.ts';
import type { HotOperations } from '../supergraph/graph/hot-operations.ts';
import { Turn } from '../turn.ts';
import type { KnownOperation, KnownOperations } from './known-operations.ts';
import type { RequestText } from './request-text.ts';

/** A request whose operation may be known. */
export interface RunnerRequest extends Waiter {
  readonly asked: RequestText;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly caller: OperationCaller;
  /** Address of the client. */
  readonly address: string;
}

/** Answer for the client. */
export interface WrittenAnswer {
  readonly body: Buffer;
  readonly headers: ReturnType<PassedHeaders['response']>;
  /** HTTP status. */
  readonly status: number;
}

/** Runs operations that are known, without Apollo Server. */
export interface OperationRunner {
  /** @returns undefined for a request that Apollo Server has to answer */
  run(request: RunnerRequest): Promise<WrittenAnswer | undefined>;
  /** Ends the sharing of what is under way, because something has changed. */
  forget(): void;
}

interface RunnerOptions {
  readonly known: Pick<KnownOperations, 'find' | 'findByHash'>;
  readonly hotOperations: Pick<HotOperations, 'see'>;
  readonly formatError: FormatError;
  readonly rules: HeaderRules;
  /** True if equal queries share an answer. */
  readonly deduplicates: boolean;
  readonly metrics: Registry;
}

/** Time that requests for an operation share nothing after an answer that was for one of them only, in ms. */
const unsharedMs = 60_000;

/** Makes the runner. Equal queries of equal callers that are under way at the same time are executed once. */
export function createOperationRunner(options: RunnerOptions): OperationRunner {
  const { known, hotOperations, formatError, rules, deduplicates, metrics } = options;
  const deduplication = new Deduplication<WrittenAnswer | undefined>();
  const deduplicated = new Counter({
    name: 'gateway_queries_deduplicated_total',
    help: 'Queries that got the answer of an equal one that was under way.',
    registers: [metrics],
  });

  function findKnown({ query, hash, operationName }: ReadRequest): KnownOperation | undefined {
    if (query !== undefined) return known.find(query, operationName);
    return hash === undefined ? undefined : known.findByHash(hash, operationName);
  }

  async function execute(
    { graph, executable, seen }: KnownOperation,
    variables: Readonly<Record<string, unknown>>,
    context: OperationContext,
  ): Promise<Executed<WrittenAnswer | undefined>> {
    hotOperations.see(seen);
    const result = await executable.write(graph.requestFor(executable.kind, variables, context));
    const { headers } = context;
    const { body, refusal } = written(result, formatError);
    if (body === undefined) return { answer: undefined, isShareable: true };
    return {
      answer: {
        body,
        status: refusal?.status ?? 200,
        headers: { ...headers.response(), ...refusal?.headers },
      },
      // What one client has too little left for, another may have.
      isShareable: headers.isShareable && refusal === undefined,
    };
  }

  async function runAlone(
    operation: KnownOperation,
    variables: Readonly<Record<string, unknown>>,
    request: RunnerRequest,
    headers: PassedHeaders,
  ): Promise<WrittenAnswer | undefined> {
    const { caller, address } = request;
    const signal = new LightAbort();
    request.onGone(() => signal.abort());
    const context = { caller, address, headers, turn: new Turn(), signal };
    return (await execute(operation, variables, context)).answer;
  }

  return {
    forget: () => deduplication.forget(),
    async run(request) {
      const { caller, address } = request;
      const headers = passHeaders(rules, request.headers);
      const key = keyOf(request, headers);
      const shared = await deduplication.join(key, request);
      if (shared) {
        deduplicated.inc();
        return shared;
      }
      const read = readRequest(request.asked.parse());
      const operation = read && findKnown(read);
      if (!operation) return undefined;
      const isQuery = operation.executable.kind === OperationTypeNode.QUERY;
      if (request.asked.method === 'GET' && !isQuery) return undefined;
      const isShared = deduplicates && isQuery && performance.now() >= operation.unsharedUntilMs;
      if (!isShared) return runAlone(operation, read.variables, request, headers);
      return deduplication.begin(key, request, async signal => {
        const context = { caller, address, headers, turn: new Turn(), signal };
        const executed = await execute(operation, read.variables, context);
        // A refusal is not shared either, and says nothing of the next answer.
        if (!headers.isShareable) operation.unsharedUntilMs = performance.now() + unsharedMs;
        return executed;
      });
    },
  };
}

/** Requests with the same key are for the same answer. */
function keyOf({ asked, caller }: RunnerRequest, headers: PassedHeaders): string {
  const { method, text } = asked;
  return `${caller.key}\n${headers.requestKey}\n${method} ${text}`;
}

interface ReadRequest {
  /** Text of the operation; undefined when the client sent its hash alone. */
  readonly query: string | undefined;
  /** SHA-256 of the text: https://www.apollographql.com/docs/apollo-server/performance/apq */
  readonly hash: string | undefined;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Reads a request that says nothing but which operation to run. Others are for Apollo Server to understand, or to refuse. */
function readRequest(body: unknown): ReadRequest | undefined {
  if (!isDataObject(body)) return undefined;
  const { query, operationName, variables, extensions } = body;
  if (!isObjectOrAbsent(variables) || !isObjectOrAbsent(extensions)) return undefined;
  if (!isNameOrAbsent(operationName)) return undefined;
  const read = (query: string | undefined, hash: string | undefined): ReadRequest => ({
    query,
    hash,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
  });
  const persisted = extensions?.['persistedQuery'];
  if (persisted === undefined) return typeof query === 'string' ? read(query, undefined) : undefined;
  // A text that comes with its hash is new, and its hash has to be checked.
  if (query !== undefined || !isDataObject(persisted) || persisted['version'] !== 1) return undefined;
  const hash = persisted['sha256Hash'];
  return typeof hash === 'string' ? read(undefined, hash) : undefined;
}

function isNameOrAbsent(value: unknown): value is string | null | undefined {
  return value === undefined || value === null || (typeof value === 'string' && value !== '');
}

function isObjectOrAbsent(value: unknown): value is Record<string, unknown> | null | undefined {
  return value === undefined || value === null || isDataObject(value);
}

interface Written {
  /** Undefined when Apollo Server has to answer. */
  readonly body: Buffer | undefined;
  readonly refusal?: Refusal | undefined;
}

/**
 * Writes a result as Apollo Server does. One without data is refused by a limit, or its variables are wrong, of which Apollo
 * Server tells.
 */
function written(result: Buffer | ExecutionResult, formatError: FormatError): Written {
  if (result instanceof Uint8Array) return { body: result };
  const refusal = result.data === undefined ? refusalIn(result.errors ?? []) : undefined;
  // Apollo Server runs it again, and formats its errors then.
  if (result.data === undefined && !refusal) return { body: undefined };
  const { errors, data, extensions } = formatResult(result, formatError) as ExecutionResult;
  const body = Buffer.from(`${JSON.stringify({ errors, data, extensions })}\n`);
  return { body, refusal };
}
