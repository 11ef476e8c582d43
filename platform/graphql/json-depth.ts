const quote = 0x22;
const backslash = 0x5c;
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Most bytes of UTF-8 for one character of a text, which is a code unit of UTF-16. */
const maxBytesPerCharacter = 3;
/** Longest text that is copied to the buffer, in characters. */
const maxCopied = 100_000;
/** Buffer for all texts but the largest, one at a time. */
const copied = Buffer.allocUnsafeSlow(maxBytesPerCharacter * maxCopied);

/**
 * Tells if a text of JSON has more lists and objects within each other than a number. What has many fills the stack of whoever
 * copies or writes it, though not of `JSON.parse`.
 */
export function isDeeperThan(text: string, maxDepth: number): boolean {
  // Each takes two characters.
  if (text.length <= 2 * maxDepth) return false;
  // To copy the text and read its bytes takes a third of the time that it takes to read its characters.
  const bytes = text.length <= maxCopied ? copied : Buffer.from(text);
  const end = bytes === copied ? copied.write(text) : bytes.length;
  let depth = 0;
  for (let at = 0; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at, end);
    else if (byte === openList || byte === openObject) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (byte === closeList || byte === closeObject) depth -= 1;
  }
  return false;
}

/** Index of the quote that ends a string. Most are short: to look at each byte takes less time than to search. */
function endOfString(bytes: Uint8Array, begin: number, end: number): number {
  for (let at = begin + 1; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === backslash) at += 1;
  }
  return end;
}
