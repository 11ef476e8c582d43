import { type ExplorerSettings, toScript } from '../sandbox.ts';

/**
 * Policy of the IDE's page: everything is of the gateway itself, so that no request leaves it. Monaco sets styles of its
 * elements, and the fonts and icons are in the style sheet.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Makes the page of GraphiQL, whose script (`page.js`) reads the settings that it is given here. */
export function renderIde(settings: ExplorerSettings): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Portico: GraphiQL</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/ide/page.css">
<style>html, body, #ide { margin: 0; height: 100% }</style>
</head>
<body>
<div id="ide"></div>
<script type="application/json" id="settings">${toScript(settings)}</script>
<script type="module" src="/ide/page.js"></script>
</body>
</html>
`;
}
