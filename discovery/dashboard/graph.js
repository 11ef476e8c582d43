import { byId, make } from './dom.js';

const wordByPhase = {
  serving: ['good', 'composed'],
  stale: ['bad', 'last composition failed'],
  waiting: ['warn', 'waiting'],
};

/**
 * Draws what the gateway says of the graph: `{ phase, since, subgraphs: { name, hash, contributes, sdl }[], faults }`,
 * of which everything but the phase may be missing.
 */
export function renderGraph({ graph, gateway, error }, onSubgraph) {
  const card = byId('graph');
  if (!graph) {
    card.replaceChildren(make('p', { class: 'quiet' }, error ?? 'No gateway has answered.'));
    return;
  }
  const [kind, word] = wordByPhase[graph.phase] ?? ['warn', String(graph.phase)];
  const since = graph.since ? `since ${new Date(graph.since).toLocaleString([], { hour12: false })}` : '';
  card.replaceChildren(
    make(
      'p',
      { class: 'graph-state' },
      make('span', { class: `pill ${kind}` }, word),
      make('span', { class: 'quiet' }, `${explainPhase(graph.phase)} ${since}`),
    ),
    ...listOf(graph.faults).map(fault => make('pre', { class: 'fault' }, textOf(fault))),
    make(
      'p',
      { class: 'subgraphs' },
      ...listOf(graph.subgraphs).map(({ name, hash }) =>
        make(
          'button',
          { class: 'subgraph', type: 'button', onclick: () => onSubgraph(name) },
          name,
          make('code', {}, String(hash ?? '').slice(0, 10)),
        ),
      ),
    ),
    make('p', { class: 'quiet small' }, `as ${gateway} tells`),
  );
}

function explainPhase(phase) {
  if (phase === 'serving') return 'The gateway serves what the registry asks for';
  if (phase === 'stale') return 'The gateway goes on with the last good graph';
  return 'The gateway has no graph yet';
}

/** Opens what one subgraph contributes, and whether it composed. */
export function showSubgraph(name, { graph, gateway, error }, instances) {
  const found = listOf(graph?.subgraphs).find(subgraph => subgraph.name === name);
  const served = [...new Set(instances.map(({ schemaHash }) => schemaHash).filter(Boolean))];
  byId('subgraph-title').textContent = `Subgraph ${name}`;
  byId('subgraph-body').replaceChildren(
    ...(graph
      ? compositionOf(graph, found)
      : [make('p', { class: 'quiet' }, error ?? 'No gateway has answered.')]),
    make(
      'dl',
      {},
      ...fact('In the graph', found?.hash ?? (graph ? 'not part of it' : 'unknown')),
      ...fact('Registered', served.length > 0 ? served.join(', ') : 'nothing'),
      ...fact('Instances', String(instances.length)),
      ...(gateway ? fact('As told by', gateway) : []),
    ),
    ...contributionsOf(found),
  );
  byId('subgraph').showModal();
}

function compositionOf({ phase, faults }, found) {
  const [kind, word] = wordByPhase[phase] ?? ['warn', String(phase)];
  const state = found || phase === 'stale' ? word : 'not composed';
  return [
    make('p', {}, make('span', { class: `pill ${found ? kind : 'warn'}` }, state)),
    ...listOf(faults).map(fault => make('pre', { class: 'fault' }, textOf(fault))),
  ];
}

function fact(term, text) {
  return [make('dt', {}, term), make('dd', {}, text)];
}

function contributionsOf(subgraph) {
  const { contributes, sdl } = subgraph ?? {};
  const lists = Array.isArray(contributes) ? { '': contributes } : (contributes ?? {});
  const shown = Object.entries(lists).flatMap(([kind, names]) => [
    kind && make('h3', {}, kind),
    make(
      'ul',
      { class: 'names' },
      ...listOf(names).map(each => make('li', {}, make('code', {}, textOf(each)))),
    ),
  ]);
  if (sdl) shown.push(make('details', {}, make('summary', {}, 'Its schema'), make('pre', {}, String(sdl))));
  if (shown.length === 0)
    shown.push(make('p', { class: 'quiet' }, 'The gateway does not say what it contributes.'));
  return shown.filter(Boolean);
}

function listOf(value) {
  return Array.isArray(value) ? value : [];
}

function textOf(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
