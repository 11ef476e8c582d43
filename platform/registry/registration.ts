import { once } from 'node:events';
import { Backoff, pause } from '../backoff.ts';
import { messageOf } from '../errors.ts';
import { type Closable, closeOnce } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { EurekaClient } from './eureka-client.ts';
import { createRepeatedWarning } from './repeated-warning.ts';
import { instanceIdOf, type Registration, writeRegistration } from './write-registration.ts';

interface RegisterOptions {
  readonly client: EurekaClient;
  readonly registration: Registration;
  readonly log: Logger;
  /** Registers when this has resolved. @default at once */
  readonly after?: Promise<void>;
}

/** This process's entry in the registry. Closing takes it out. */
export interface Registered extends Closable {
  readonly instanceId: string;
  /** True if the registry has acknowledged the entry, and every renewal since. */
  readonly registered: boolean;
  /** Resolves when the registry has acknowledged the entry for the first time. */
  readonly acknowledged: Promise<void>;
}

/**
 * Puts this process into the registry and keeps it there: renews the lease, registers again when the registry has
 * forgotten it, and goes on trying while the registry is away.
 */
export function register({ client, registration, log, after }: RegisterOptions): Registered {
  const { service, lease } = registration;
  const instanceId = instanceIdOf(registration);
  const dirtyTimestampMs = Date.now();
  const stop = new AbortController();
  let acknowledge = () => {};
  const acknowledged = new Promise<void>(resolve => {
    acknowledge = resolve;
  });
  let registered = false;
  let wasAsked = false;
  const failure = createRepeatedWarning(log);

  async function registerUntilAccepted(): Promise<void> {
    const backoff = new Backoff();
    while (!stop.signal.aborted)
      try {
        wasAsked = true;
        await client.register(service, writeRegistration(registration, 'UP', dirtyTimestampMs), {
          signal: stop.signal,
        });
        registered = true;
        acknowledge();
        log.info({ instanceId }, 'Registered');
        failure.over('Registering works again');
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        registered = false;
        const retryMs = backoff.next();
        failure.warn({ instanceId, retryMs }, `Registering failed: ${messageOf(error)}`);
        await pause(retryMs, stop.signal);
      }
  }

  async function run(): Promise<void> {
    await Promise.race([after, once(stop.signal, 'abort')]);
    await registerUntilAccepted();
    while (!stop.signal.aborted) {
      await pause(lease.renewalIntervalSeconds * 1000, stop.signal);
      if (stop.signal.aborted) return;
      try {
        const known = await client.renew(service, instanceId, dirtyTimestampMs, { signal: stop.signal });
        if (!known) {
          log.warn({ instanceId }, 'The registry has forgotten this instance; registering again');
          await registerUntilAccepted();
        }
        registered = true;
        failure.over('Renewing works again');
      } catch (error) {
        if (stop.signal.aborted) return;
        registered = false;
        failure.warn({ instanceId }, `Renewing failed: ${messageOf(error)}`);
      }
    }
  }

  const running = run();
  return {
    instanceId,
    get registered() {
      return registered;
    },
    acknowledged,
    close: closeOnce(async () => {
      stop.abort();
      await running;
      registered = false;
      if (!wasAsked) return;
      await client
        .cancel(service, instanceId)
        .catch(error => log.warn({ instanceId }, `Deregistering failed: ${messageOf(error)}`));
    }),
  };
}
