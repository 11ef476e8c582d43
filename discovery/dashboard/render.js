import { byId, duration, link, make, timeOfDay } from './dom.js';

const shownAtFirst = 25;
const verbByCause = {
  registered: 'registered',
  updated: 'registered again',
  status: 'changed status',
  metadata: 'changed metadata',
  cancelled: 'left',
  expired: 'was evicted',
};

/** Applications whose every instance is shown, by name. */
const opened = new Set();
/** What was drawn of each application, to draw only what changed. */
const drawnByName = new Map();

/** Draws everything that the registry says of itself. */
export function renderRegistry(registry, { filter, onSubgraph }) {
  renderSummary(registry);
  renderNotices(registry);
  renderApplications(registry, { filter, onSubgraph });
  renderChanges(registry);
  byId('build').textContent = `version ${registry.version}, run ${registry.name}`;
}

function renderSummary({ countByStatus, peers, followers }) {
  const counts = Object.entries(countByStatus).sort(([a], [b]) => (a < b ? 1 : -1));
  byId('summary').replaceChildren(
    ...counts.map(([status, count]) => statusPill(status, `${count} ${status}`)),
    make('span', { class: 'pill' }, `${followers} following`),
    ...peers
      .filter(({ state }) => state !== 'self')
      .map(({ url, state, reason }) =>
        make(
          'span',
          { class: `pill ${state === 'reachable' ? 'good' : 'bad'}`, title: reason ?? state },
          `peer ${new URL(url).host} ${state}`,
        ),
      ),
  );
}

function renderNotices({ selfPreservation, complete }) {
  const notices = [];
  if (selfPreservation.state !== 'off')
    notices.push(
      make(
        'div',
        { class: 'notice bad' },
        make('strong', {}, 'Self-preservation. '),
        selfPreservation.explanation,
      ),
    );

  if (!complete)
    notices.push(
      make(
        'div',
        { class: 'notice' },
        'This registry has just started: instances that have not renewed yet are still missing.',
      ),
    );

  byId('notices').replaceChildren(...notices);
}

function renderApplications({ applications, nowMs }, { filter, onSubgraph }) {
  const container = byId('applications');
  const shown = applications
    .map(app => ({
      ...app,
      total: app.instances.length,
      instances: app.instances.filter(matches(app, filter)),
    }))
    .filter(({ instances }) => instances.length > 0);
  const cards = shown.map(app => drawApplication(app, { nowMs, onSubgraph }));
  for (const name of drawnByName.keys()) if (!shown.some(app => app.name === name)) drawnByName.delete(name);
  if (cards.length === 0)
    cards.push(
      make('p', { class: 'card quiet' }, filter ? 'Nothing matches.' : 'Nobody has registered yet.'),
    );

  const same =
    cards.length === container.children.length && cards.every((card, at) => container.children[at] === card);
  if (!same) container.replaceChildren(...cards);
}

function matches({ name }, filter) {
  return ({ id, address, status, version, zone, schemaHash }) =>
    !filter ||
    [name, id, address, status, version, zone, schemaHash].some(text => text?.toLowerCase().includes(filter));
}

/** Draws one application anew when something other than its leases' age changed. */
function drawApplication(app, { nowMs, onSubgraph }) {
  const facts = JSON.stringify([app, opened.has(app.name)], (key, value) =>
    key === 'leaseAgeMs' ? 0 : value,
  );
  const drawn = drawnByName.get(app.name);
  if (drawn?.facts === facts) {
    for (const instance of app.instances) drawn.updateLease.get(instance.id)?.(instance);
    return drawn.card;
  }
  const updateLease = new Map();
  const visible = opened.has(app.name) ? app.instances : app.instances.slice(0, shownAtFirst);
  const rows = visible.map(instance => instanceRow(instance, { nowMs, updateLease }));
  const hidden = app.instances.length - visible.length;
  const subgraph = app.instances.find(instance => instance.subgraph)?.subgraph;
  const card = make(
    'article',
    { class: 'card application' },
    make(
      'h3',
      {},
      app.name,
      make('span', { class: 'quiet' }, app.total === 1 ? '1 instance' : `${app.total} instances`),
      subgraph &&
        make(
          'button',
          { class: 'subgraph', type: 'button', onclick: () => onSubgraph(subgraph) },
          `subgraph ${subgraph}`,
        ),
    ),
    instanceTable(rows),
    hidden > 0 &&
      make(
        'button',
        {
          type: 'button',
          class: 'more',
          onclick: event => {
            opened.add(app.name);
            event.currentTarget.dispatchEvent(new CustomEvent('redraw', { bubbles: true }));
          },
        },
        `Show ${hidden} more`,
      ),
  );
  drawnByName.set(app.name, { facts, card, updateLease });
  return card;
}

function instanceTable(rows) {
  const headings = ['Status', 'Instance', 'Version', 'Schema', 'Lease', 'Since'];
  return make(
    'table',
    {},
    make('thead', {}, make('tr', {}, ...headings.map(text => make('th', { scope: 'col' }, text)))),
    make('tbody', {}, ...rows),
  );
}

function instanceRow(instance, { nowMs, updateLease }) {
  const meter = make('meter', { min: 0, max: 1, low: 0.5, high: 0.99, optimum: 0 });
  const age = make('span', { class: 'quiet' });
  const setLease = ({ leaseAgeMs, leaseDurationMs }) => {
    meter.value = Math.min(1, leaseAgeMs / leaseDurationMs);
    age.textContent = `${duration(leaseAgeMs)} of ${duration(leaseDurationMs)}`;
  };
  setLease(instance);
  updateLease.set(instance.id, setLease);
  const { id, address, status, override, version, zone, schemaHash, registeredAtMs, healthUrl } = instance;
  return make(
    'tr',
    {},
    cell('Status', statusPill(status, override ? `${status} (set)` : status)),
    cell(
      'Instance',
      make('span', { class: 'id' }, link(id, healthUrl)),
      !id.includes(address) && make('span', { class: 'quiet' }, address),
      zone && make('span', { class: 'quiet' }, `zone ${zone}`),
    ),
    cell('Version', version ?? '–'),
    cell('Schema', schemaHash ? make('code', { title: schemaHash }, schemaHash.slice(0, 10)) : '–'),
    cell('Lease', meter, age),
    cell(
      'Since',
      make('time', { title: new Date(registeredAtMs).toISOString() }, sinceText(registeredAtMs, nowMs)),
    ),
  );
}

function sinceText(registeredAtMs, nowMs) {
  return nowMs - registeredAtMs > 86_400_000
    ? new Date(registeredAtMs).toLocaleDateString()
    : timeOfDay(registeredAtMs);
}

function cell(label, ...children) {
  return make('td', { 'data-label': label }, make('div', {}, ...children));
}

function statusPill(status, text) {
  const kind = status === 'UP' ? 'good' : status === 'DOWN' ? 'bad' : 'warn';
  return make('span', { class: `pill ${kind}` }, text);
}

function renderChanges({ lastChanges }) {
  const items = lastChanges.map(({ atMs, cause, app, id, status }) =>
    make(
      'li',
      { class: cause === 'expired' ? 'alarming' : undefined },
      make('time', {}, timeOfDay(atMs)),
      make('span', { class: 'id' }, id),
      make(
        'span',
        { class: 'quiet' },
        `of ${app} ${verbByCause[cause] ?? cause}${cause === 'status' ? ` to ${status}` : ''}`,
      ),
    ),
  );
  byId('changes').replaceChildren(
    ...(items.length > 0 ? items : [make('li', { class: 'quiet' }, 'Nothing has changed since the start.')]),
  );
}
