/** The part of jhipster's eureka-js-client that the tests use; it brings no types of its own. */
declare module 'eureka-js-client' {
  interface Instance {
    readonly instanceId: string;
    readonly app: string;
    readonly hostName: string;
    readonly status: string;
    readonly port: { readonly $: number; readonly '@enabled': string };
  }

  export class Eureka {
    constructor(config: {
      instance: Record<string, unknown>;
      eureka: Record<string, unknown>;
      shouldUseDelta?: boolean;
      logger?: Record<'debug' | 'info' | 'warn' | 'error' | 'level', (...args: unknown[]) => void>;
    });
    start(callback?: (error?: Error) => void): void;
    stop(callback?: (error?: Error) => void): void;
    on(event: 'registered' | 'deregistered' | 'heartbeat' | 'registryUpdated', listener: () => void): this;
    getInstancesByAppId(app: string): Instance[];
    getInstancesByVipAddress(vipAddress: string): Instance[];
  }
}
