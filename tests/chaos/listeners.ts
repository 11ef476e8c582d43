import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { createGraphClient } from '../../dev/graph-client.ts';
import type { Closable } from '../../platform/lifecycle.ts';
import type { Evidence } from './evidence.ts';
import type { Ledger } from './ledger.ts';

interface ListenersOptions {
  readonly graphUrl: string;
  readonly mintToken: (customer: string) => Promise<string>;
  readonly ledger: Ledger;
  /** Names of those who listen, each for what concerns them. */
  readonly customers: readonly string[];
}

/** Event of a customer's notifications; one that says that some are gone has neither kind nor order. */
interface Notified {
  readonly notificationReceived: {
    readonly __typename: string;
    readonly cursor: string;
    readonly kind?: string;
    readonly order: { readonly id: string } | null;
  };
}

const feedCursor = '{ notifications { feedCursor } }';
const notifications = `subscription ($after: String) {
  notificationReceived(after: $after) { __typename cursor ... on Notification { kind } order { id } }
}`;
/** Time until a listener whose connection or subscription has ended comes back, in ms. */
const comeBackMs = 200;
/** Longest time from rest until everything has come to those who listen, in ms. */
const hearingTimeoutMs = 10_000;
const lookAgainMs = 100;

/** Lets each customer listen to his notifications through the gateway, and come back with his last cursor whenever that ends. */
export async function startListeners({
  graphUrl,
  mintToken,
  ledger,
  customers,
}: ListenersOptions): Promise<Closable> {
  const listeners = await Promise.all(
    customers.map(async customer => listen({ graphUrl, ledger, customer, token: await mintToken(customer) })),
  );
  return {
    async close() {
      await Promise.all(listeners.map(listener => listener.close()));
    },
  };
}

async function listen({
  graphUrl,
  ledger,
  customer,
  token,
}: Pick<ListenersOptions, 'graphUrl' | 'ledger'> & {
  readonly customer: string;
  readonly token: string;
}): Promise<Closable> {
  const { data, errors } = await createGraphClient(graphUrl, token).request<{
    notifications: { feedCursor: string };
  }>(feedCursor);
  if (!data) throw new Error(`${customer} expected to read his feed, but got ${JSON.stringify(errors)}`);
  const variables = { after: data.notifications.feedCursor };
  let isClosed = false;
  const client = createClient({
    url: graphUrl.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => delay(comeBackMs),
    on: {
      connected() {
        ledger.listenerConnections += 1;
      },
    },
  });

  function subscribe(): void {
    client.subscribe<Notified>(
      { query: notifications, variables },
      {
        next(result) {
          if (!result.data) return;
          const { __typename, cursor, kind = __typename, order } = result.data.notificationReceived;
          ledger.heard.push({ customer, kind, orderId: order?.id ?? '' });
          variables.after = cursor;
        },
        error: comeBack,
        complete: comeBack,
      },
    );
  }
  function comeBack(): void {
    if (!isClosed) setTimeout(subscribe, comeBackMs);
  }

  subscribe();
  return {
    async close() {
      isClosed = true;
      await client.dispose();
    },
  };
}

/** Waits until as much has come to those who listen as there is for them, if it does; the check says whether it is right. */
export async function untilHeard({ heard }: Ledger, { notifications }: Evidence): Promise<void> {
  const deadlineMs = performance.now() + hearingTimeoutMs;
  while (heard.length < notifications.length && performance.now() < deadlineMs) await delay(lookAgainMs);
}
