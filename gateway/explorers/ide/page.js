import 'graphiql/style.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const workers = { json: 'json.worker.js', graphql: 'graphql.worker.js' };
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(workers[label] ?? 'editor.worker.js', import.meta.url), { type: 'module' }),
};

const { document: operations, headers } = JSON.parse(document.getElementById('settings').textContent);
const endpoint = new URL('/graphql', location.href).href;
// The headers of the editor go into `connection_init` too: a token pasted there is that of subscriptions as well.
const fetcher = createGraphiQLFetcher({
  url: endpoint,
  subscriptionUrl: endpoint.replace(/^http/, 'ws'),
});
const presetHeaders = JSON.stringify(headers, null, 2);

createRoot(document.getElementById('ide')).render(
  createElement(
    GraphiQL,
    {
      fetcher,
      defaultQuery: operations,
      // Headers are not kept in the browser: the token of a former start would be refused.
      initialHeaders: presetHeaders,
      defaultHeaders: presetHeaders,
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
      defaultEditorToolsVisibility: 'headers',
    },
    createElement(GraphiQL.Logo, null, 'Portico'),
  ),
);
