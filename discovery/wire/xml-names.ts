const nameStart = /^[A-Za-z]$/;
const namePart = /^[A-Za-z0-9.-]$/;
const escapeSequence = /__|_-|_\.([0-9a-f]{4})/gi;

/**
 * Writes any name as the name of an XML element, as XStream does, with which Netflix's clients and server read and
 * write: `_` is `__`, `$` is `_-`, and what XML does not allow is `_.` and four hexadecimal digits. That is also
 * where the two underscores of `apps__hashcode` come from.
 *
 * Source: `com.thoughtworks.xstream.io.xml.XmlFriendlyNameCoder`.
 */
export function encodeElementName(name: string): string {
  let encoded = '';
  for (let index = 0; index < name.length; index++) {
    const character = name.charAt(index);
    if (character === '_') encoded += '__';
    else if (character === '$') encoded += '_-';
    else if ((index === 0 ? nameStart : namePart).test(character)) encoded += character;
    else encoded += `_.${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  }
  return encoded;
}

/** Reads what {@link encodeElementName} wrote; other underscores stay what they are. */
export function decodeElementName(encoded: string): string {
  return encoded.replace(escapeSequence, (sequence, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return sequence === '__' ? '_' : '$';
  });
}
