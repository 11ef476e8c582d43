import type { Child } from '../../dev/child.ts';

/** The metrics of a process, as Prometheus gets them. */
export async function metricsOf({ ready }: Child): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ready.ports?.['management']}/actuator/prometheus`);
  if (!response.ok) throw new Error(`The metrics expected 200, but got ${response.status}`);
  return response.text();
}

/** The sum of a metric's samples of a process, of those that have the labels; 0 when there are none. */
export async function metricOf(
  child: Child,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  let sum = 0;
  for (const line of (await metricsOf(child)).split('\n')) {
    const [, found, labelText = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found !== name) continue;
    if (Object.entries(labels).every(([label, expected]) => labelText.includes(`${label}="${expected}"`)))
      sum += Number(value);
  }
  return sum;
}
