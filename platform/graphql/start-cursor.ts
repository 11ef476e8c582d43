/**
 * Key in a subscription request's `extensions` by which the gateway asks where the events begin. A subgraph that can say
 * so answers with a first result that has no data, and the cursor in its `extensions.cursor`.
 */
export const startCursorExtension = 'startCursor';
