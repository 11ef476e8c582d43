import { byId } from './dom.js';
import { renderGraph, showSubgraph } from './graph.js';
import { renderRegistry } from './render.js';

/** Leases age without a change, so that the page asks again after this time. */
const refreshMs = 2_000;
/** Changes that come together are drawn together. */
const settleMs = 100;
/** A registry that takes long to answer is asked less often: this many times what the answer took. */
const restFactor = 10;

let registry;
let graphAnswer = {};
let filter = '';
let refreshing;
let timer;

function draw() {
  if (registry) renderRegistry(registry, { filter, onSubgraph: openSubgraph });
}

function openSubgraph(name) {
  const instances = registry.applications
    .flatMap(app => app.instances)
    .filter(each => each.subgraph === name);
  showSubgraph(name, graphAnswer, instances);
}

async function fetchJson(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function fetchAll() {
  const startedAt = performance.now();
  try {
    registry = await fetchJson('/dashboard/registry.json');
    draw();
    graphAnswer = await fetchJson('/dashboard/graph.json');
    renderGraph(graphAnswer, openSubgraph);
    setConnection('live');
  } catch {
    setConnection('lost');
  }
  return performance.now() - startedAt;
}

function refreshIn(ms) {
  clearTimeout(timer);
  timer = setTimeout(refresh, ms);
}

async function refresh() {
  if (refreshing || document.hidden) return;
  refreshing = fetchAll();
  const tookMs = await refreshing;
  refreshing = undefined;
  refreshIn(Math.max(refreshMs, tookMs * restFactor));
}

function setConnection(state) {
  const element = byId('connection');
  element.textContent = state === 'live' ? 'live' : 'connection lost, trying again';
  element.className = `connection ${state}`;
}

const changes = new EventSource('/eureka/changes');
changes.addEventListener('change', () => refreshIn(settleMs));
changes.addEventListener('snapshot', () => refreshIn(settleMs));
changes.addEventListener('error', () => setConnection('lost'));
document.addEventListener('visibilitychange', () => refreshIn(0));
document.addEventListener('redraw', draw);
byId('filter').addEventListener('input', event => {
  filter = event.target.value.trim().toLowerCase();
  draw();
});
refreshIn(0);
