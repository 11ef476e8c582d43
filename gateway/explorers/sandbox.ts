/** Settings of an explorer. */
export interface ExplorerSettings {
  /** Operations to begin with. */
  readonly document: string;
  /** Headers that it sends with each request, and in the WebSocket's `connection_init`. */
  readonly headers: Readonly<Record<string, string>>;
}

const sandboxScript =
  'https://embeddable-sandbox.cdn.apollographql.com/_latest/embeddable-sandbox.umd.production.min.js';

/**
 * Makes the page of Apollo Sandbox for the graph at the address that the page came from. Apollo Server's own page can't
 * be told of a subscription address. Without internet, where Sandbox does not load, the page goes on to `/ide/`.
 *
 * @see https://www.apollographql.com/docs/graphos/platform/sandbox#embedding-sandbox
 */
export function renderSandbox({ document, headers }: ExplorerSettings): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Portico: Apollo Sandbox</title>
<style>html, body, #sandbox { margin: 0; height: 100% } iframe { border: 0 }</style>
</head>
<body>
<div id="sandbox"></div>
<script src="${sandboxScript}"></script>
<script>
  if (!window.EmbeddedSandbox) location.replace('/ide/');
  else new window.EmbeddedSandbox({
    target: '#sandbox',
    initialEndpoint: location.origin + '/graphql',
    initialSubscriptionEndpoint: location.origin.replace(/^http/, 'ws') + '/graphql',
    initialState: ${toScript({ document, headers, includeCookies: false, pollForSchemaUpdates: true })},
    runTelemetry: false,
  });
</script>
</body>
</html>
`;
}

/** JSON that can stand in a script element. */
export function toScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}
