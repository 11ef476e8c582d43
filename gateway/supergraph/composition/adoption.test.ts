import { describe, expect, test } from 'vitest';
import { adopt, type Candidate } from './adoption.ts';
import type { Subgraph } from './compose.ts';

const version = (label: string): Subgraph => ({ name: label.split('@')[0] ?? '', hash: label, sdl: '' });
const served = (...labels: string[]) => labels.map(version);
const wanted = (...labels: string[][]): Candidate[] =>
  labels.map(([first = '', ...others]) => ({
    name: first.split('@')[0] ?? '',
    versions: [first, ...others].map(version),
  }));

/** A composer that refuses the sets of which `refuses` says so, and counts. */
function composer(refuses: (labels: string[]) => boolean) {
  const tried: string[][] = [];
  return {
    tried,
    compose(subgraphs: readonly Subgraph[]) {
      const labels = subgraphs.map(({ hash }) => hash);
      tried.push(labels);
      const outcome = refuses(labels)
        ? { kind: 'failed' as const, faults: [{ code: 'X', message: `not ${labels.join()}`, locations: [] }] }
        : { kind: 'composed' as const, supergraphSdl: labels.join() };
      return Promise.resolve({ outcome, changes: [] });
    },
  };
}

const labelsOf = ({ subgraphs }: { subgraphs: readonly Subgraph[] }) => subgraphs.map(({ hash }) => hash);

describe('adopting', () => {
  test('what is served already composes nothing', async () => {
    const { compose, tried } = composer(() => false);
    const adoption = await adopt({ served: served('a@1', 'b@1'), wanted: wanted(['a@1'], ['b@1']), compose });
    expect(adoption).toMatchObject({ composition: undefined, heldBack: [] });
    expect(tried).toEqual([]);
  });

  test('changes that compose together takes one composition', async () => {
    const { compose, tried } = composer(() => false);
    const adoption = await adopt({ served: served('a@1', 'c@1'), wanted: wanted(['a@2'], ['b@1']), compose });
    expect(labelsOf(adoption)).toEqual(['a@2', 'b@1']);
    expect(tried).toHaveLength(1);
  });

  test('holds back the version that does not compose, and takes the others', async () => {
    const { compose } = composer(labels => labels.includes('b@2'));
    const adoption = await adopt({
      served: served('a@1', 'b@1'),
      wanted: wanted(['a@2'], ['b@2'], ['c@1']),
      compose,
    });
    expect(labelsOf(adoption)).toEqual(['a@2', 'b@1', 'c@1']);
    expect(adoption.heldBack).toMatchObject([{ subgraph: 'b', hash: 'b@2', faults: [{ code: 'X' }] }]);
  });

  test('takes changes that need each other together', async () => {
    const { compose } = composer(labels => labels.includes('a@2') !== labels.includes('b@2'));
    const alone = await adopt({ served: served('a@1', 'b@1'), wanted: wanted(['a@2'], ['b@1']), compose });
    expect(labelsOf(alone)).toEqual(['a@1', 'b@1']);
    const both = await adopt({ served: served('a@1', 'b@1'), wanted: wanted(['a@2'], ['b@2']), compose });
    expect(labelsOf(both)).toEqual(['a@2', 'b@2']);
  });

  test('takes an older version of a new subgraph when the newest does not compose', async () => {
    const { compose } = composer(labels => labels.includes('b@2'));
    const adoption = await adopt({ served: served('a@1'), wanted: wanted(['a@1'], ['b@2', 'b@1']), compose });
    expect(labelsOf(adoption)).toEqual(['a@1', 'b@1']);
    expect(adoption.heldBack).toMatchObject([{ hash: 'b@2' }]);
  });

  test('never goes back to an older version than the one that is served', async () => {
    const { compose } = composer(labels => labels.includes('b@3'));
    const adoption = await adopt({ served: served('b@2'), wanted: wanted(['b@3', 'b@2', 'b@1']), compose });
    expect(adoption).toMatchObject({ composition: undefined, heldBack: [{ hash: 'b@3' }] });
  });

  test('finds an order in which subgraphs compose that do not compose alone', async () => {
    const { compose } = composer(labels => !labels.includes('z@1') || labels.includes('broken@1'));
    const adoption = await adopt({ served: [], wanted: wanted(['a@1'], ['broken@1'], ['z@1']), compose });
    expect(labelsOf(adoption)).toEqual(['a@1', 'z@1']);
    expect(adoption.heldBack).toMatchObject([{ hash: 'broken@1' }]);
  });

  test('keeps a subgraph without which the others do not compose', async () => {
    const { compose } = composer(labels => !labels.includes('a@1'));
    const adoption = await adopt({ served: served('a@1', 'b@1'), wanted: wanted(['b@1']), compose });
    expect(adoption).toMatchObject({ composition: undefined, heldBack: [{ subgraph: 'a', hash: '' }] });
  });
});
