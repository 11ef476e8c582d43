import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** Makes the process's metric registry, with Node's own metrics in it. */
export function createMetrics(): Registry {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  return metrics;
}

/** Latency buckets in seconds, from a local call to a timeout. */
export const latencyBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Duration of every HTTP request that this process served.
 * The name and its labels are OpenTelemetry's HTTP semantic conventions, as Prometheus writes them.
 */
export function httpServerDuration(metrics: Registry): Histogram<'method' | 'route' | 'status'> {
  return new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP requests served, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: latencyBucketsSeconds,
    registers: [metrics],
  });
}
