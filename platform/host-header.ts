const hostForm = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
/** The last one that was valid: a server is mostly asked by the same name. */
let lastValid = '';

/** Tells if text may be the value of a Host header, RFC 9110 §7.2, or is empty, as in HTTP/1.0 it may be. */
export function isHost(text: string): boolean {
  if (text === '' || text === lastValid) return true;
  if (!hostForm.test(text) || !URL.canParse(`http://${text}/`)) return false;
  lastValid = text;
  return true;
}

/** Tells if raw headers, each name with its value behind it, have at most one of the name Host: Node takes the first of several. */
export function namesOneHost(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') count += 1;
  return count <= 1;
}
