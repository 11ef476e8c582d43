import { byId, make } from './dom.js';

/** How each phase of the gateway is drawn: kind of pill, word, explanation. */
const phases = {
  serving: ['good', 'composed', 'The gateway serves what the registry asks for'],
  stale: ['bad', 'last composition failed', 'The gateway goes on with the last good graph'],
  pinned: ['warn', 'pinned', 'An operator has gone back to an earlier graph; the registry is not followed'],
  waiting: ['warn', 'waiting', 'The gateway has no graph yet'],
};

/**
 * Draws what the gateway says of the graph: `{ phase, since, subgraphs: { name, hash, contributes, sdl }[], faults,
 * ignored: { service, message }[] }`, of which everything but the phase may be missing.
 */
export function renderGraph({ graph, gateway, error }, onSubgraph) {
  const card = byId('graph');
  if (!graph) {
    card.replaceChildren(make('p', { class: 'quiet' }, error ?? 'No gateway has answered.'));
    return;
  }
  const [kind, word, explanation] = drawingOf(graph.phase);
  const since = graph.since ? `since ${new Date(graph.since).toLocaleString([], { hour12: false })}` : '';
  card.replaceChildren(
    make(
      'p',
      { class: 'graph-state' },
      make('span', { class: `pill ${kind}` }, word),
      make('span', { class: 'quiet' }, `${explanation} ${since}`),
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
    ...listOf(graph.ignored).map(({ service, message }) =>
      make('p', { class: 'quiet small' }, `${service} is not part of it: ${message}`),
    ),
    make('p', { class: 'quiet small' }, `as ${gateway} tells`),
  );
}

function drawingOf(phase) {
  return phases[phase] ?? ['warn', String(phase), ''];
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
  const [kind, word] = drawingOf(phase);
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
  const names = listOf(contributes).map(each => make('li', {}, make('code', {}, textOf(each))));
  const shown = names.length > 0 ? [make('ul', { class: 'names' }, ...names)] : [];
  if (sdl) shown.push(make('details', {}, make('summary', {}, 'Its schema'), make('pre', {}, String(sdl))));
  if (shown.length === 0)
    shown.push(make('p', { class: 'quiet' }, 'The gateway does not say what it contributes.'));
  return shown;
}

function listOf(value) {
  return Array.isArray(value) ? value : [];
}

function textOf(value) {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
