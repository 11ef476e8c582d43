/** Value below which a share of the numbers lies. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Value in the middle, of two the greater. */
export function median(values: ArrayLike<number>): number {
  return percentile(values, 0.5);
}

/** Slope of the straight line that fits points best, by least squares. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const meanOf = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [meanX, meanY] = [meanOf(points.map(([x]) => x)), meanOf(points.map(([, y]) => y))];
  const [rise, run] = points.reduce(
    ([up, along], [x, y]) => [up + (x - meanX) * (y - meanY), along + (x - meanX) ** 2],
    [0, 0],
  );
  return rise / run;
}

/** Lines of a table in Markdown; all columns but the first hold numbers. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  return [
    `| ${header.join(' | ')} |`,
    `|---|${'---:|'.repeat(header.length - 1)}`,
    ...rows.map(cells => `| ${cells.join(' | ')} |`),
  ].join('\n');
}
