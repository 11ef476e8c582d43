import type { Child } from '../../dev/child.ts';

/** The sum of a metric's samples of a process, of those that have the labels; 0 when there are none. */
export async function metricOf(
  { ready }: Child,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${ready.ports?.['management']}/actuator/prometheus`);
  if (!response.ok) throw new Error(`The metrics expected 200, but got ${response.status}`);
  let sum = 0;
  for (const line of (await response.text()).split('\n')) {
    const [, found, labelText = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (found !== name) continue;
    if (Object.entries(labels).every(([label, expected]) => labelText.includes(`${label}="${expected}"`)))
      sum += Number(value);
  }
  return sum;
}
