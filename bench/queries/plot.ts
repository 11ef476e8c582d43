/** A line of a panel. */
export interface Series {
  readonly name: string;
  /** All above zero, since both axes are logarithmic. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Plots side by side that have their axes' names and their legend in common. */
export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Each has the same series in the same order. */
  readonly panels: readonly { readonly title: string; readonly series: readonly Series[] }[];
}

interface Axis {
  readonly ticks: readonly number[];
  /** Place of a value, in pixels. */
  at(value: number): number;
}

const panel = { width: 340, height: 220, left: 62, right: 18, top: 74, bottom: 54 };
/** Sizes in the legend; a character is as wide as most are. */
const legend = { line: 28, gap: 8, character: 6.6 };
const panelStride = panel.left + panel.width + panel.right;
/** Light and dark colour of each series, and how its line is dashed. */
const looks = [
  { light: '#0550ae', dark: '#6cb6ff', dash: '' },
  { light: '#bc4c00', dark: '#f0883e', dash: '7 4' },
  { light: '#6639ba', dark: '#d2a8ff', dash: '2 3' },
  { light: '#116329', dark: '#56d364', dash: '9 3 2 3' },
  { light: '#a40e26', dark: '#ff7b72', dash: '4 2' },
];

/** Draws panels with logarithmic axes, readable on light and dark pages. @returns SVG */
export function plotSvg({ title, xLabel, yLabel, panels }: Plot): string {
  const width = panelStride * panels.length;
  const height = panel.top + panel.height + panel.bottom;
  const names = panels[0]?.series.map(({ name }) => name) ?? [];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(`${title} by ${xLabel}`)}</title>`,
    `<style>${styleOf(names.length)}</style>`,
    `<rect class="page" width="${width}" height="${height}" rx="6"/>`,
    `<text class="head" x="${panel.left}" y="24">${escaped(`${title} (${yLabel}, by ${xLabel})`)}</text>`,
    ...legendOf(names),
    ...panels.map((each, index) => panelOf(each, index * panelStride, xLabel)),
    '</svg>',
    '',
  ].join('\n');
}

function styleOf(count: number): string {
  const colours = (theme: 'light' | 'dark') =>
    looks
      .slice(0, count)
      .map((look, index) => `.s${index}{stroke:${look[theme]}}.f${index}{fill:${look[theme]}}`);
  return [
    'text{font:12px system-ui,sans-serif;fill:#1f2328}.head{font-weight:600;font-size:14px}.name{font-weight:600}',
    '.page{fill:#fff}.grid{stroke:#d1d9e0;stroke-width:1}.line{fill:none;stroke-width:2}',
    ...colours('light'),
    '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}',
    ...colours('dark'),
    '}',
  ].join('');
}

function legendOf(names: readonly string[]): string[] {
  let x = panel.left;
  return names.map((name, index) => {
    const [from, to] = [x, x + legend.line];
    x = to + legend.gap * 2 + name.length * legend.character;
    const line = `<line class="line s${index}" x1="${from}" x2="${to}" y1="42" y2="42" stroke-dasharray="${looks[index]?.dash ?? ''}"/>`;
    return `${line}<text x="${to + legend.gap}" y="46">${escaped(name)}</text>`;
  });
}

function panelOf({ title, series }: Plot['panels'][number], offset: number, xLabel: string): string {
  const points = series.flatMap(each => each.points);
  const [left, bottom] = [offset + panel.left, panel.top + panel.height];
  const xs = axisOf({ values: points.map(([x]) => x), from: left, to: left + panel.width, ticks: 'values' });
  const ys = axisOf({ values: points.map(([, y]) => y), from: bottom, to: panel.top, ticks: 'decades' });
  return [
    `<text class="name" x="${left}" y="${panel.top - 8}">${escaped(title)}</text>`,
    ...ys.ticks.map(tick => {
      const y = ys.at(tick).toFixed(1);
      return `<line class="grid" x1="${left}" x2="${left + panel.width}" y1="${y}" y2="${y}"/><text x="${left - 6}" y="${y}" dy="4" text-anchor="end">${tick.toLocaleString('en')}</text>`;
    }),
    ...xs.ticks.map(tick => {
      const x = xs.at(tick).toFixed(1);
      return `<line class="grid" x1="${x}" x2="${x}" y1="${panel.top}" y2="${bottom}"/><text x="${x}" y="${bottom + 17}" text-anchor="middle">${tick}</text>`;
    }),
    `<text x="${left + panel.width / 2}" y="${bottom + 38}" text-anchor="middle">${escaped(xLabel)}</text>`,
    ...series.map((each, index) => lineOf(each, index, xs, ys)),
  ].join('\n');
}

function lineOf({ points }: Series, index: number, xs: Axis, ys: Axis): string {
  const places = points.map(([x, y]) => [xs.at(x).toFixed(1), ys.at(y).toFixed(1)] as const);
  const dots = places.map(([x, y]) => `<circle class="f${index}" cx="${x}" cy="${y}" r="3"/>`);
  const path = places.map(([x, y]) => `${x},${y}`).join(' ');
  return `<polyline class="line s${index}" stroke-dasharray="${looks[index]?.dash ?? ''}" points="${path}"/>${dots.join('')}`;
}

/** A logarithmic axis with a tick at each of its values, or at each power of ten and so many of the steps between that it is readable. */
function axisOf({
  values,
  from,
  to,
  ticks: kind,
}: {
  values: readonly number[];
  from: number;
  to: number;
  ticks: 'values' | 'decades';
}): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const steps = most / least > 1_000 ? [1] : [1, 2, 5];
  const decades = Array.from({ length: 16 }, (_, power) => 10 ** (power - 6));
  const marks = decades.flatMap(decade => steps.map(step => step * decade));
  const low = kind === 'values' ? least : (marks.findLast(mark => mark <= least) ?? least);
  const high = kind === 'values' ? most : (marks.find(mark => mark >= most) ?? most);
  const share = (value: number) => Math.log(value / low) / Math.log(high / low);
  return {
    ticks: kind === 'values' ? [...new Set(values)] : marks.filter(mark => mark >= low && mark <= high),
    at: value => from + share(value) * (to - from),
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
