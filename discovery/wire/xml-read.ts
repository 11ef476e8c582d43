import { SaxesParser, type SaxesTagPlain } from 'saxes';
import { messageOf, PorticoError } from '../../platform/errors.ts';
import { decodeElementName } from './xml-names.ts';

interface Element {
  readonly name: string;
  readonly children: [string, unknown][];
  readonly attributes: [string, string][];
  text: string;
}

/** Deepest nesting; a registration needs four. */
const maxDepth = 16;

/**
 * Reads XML into what the same thing would be as Eureka's JSON: an element without children is its text, attributes
 * are keys that begin with `@` (beside `$`, the text), `class` too. There is no way to declare an entity.
 *
 * @throws PorticoError BAD_USER_INPUT when it is not well-formed, or has a DOCTYPE
 */
export function parseXml(text: string): unknown {
  const root: Element = { name: '', children: [], attributes: [], text: '' };
  const open = [root];
  const parser = new SaxesParser({ xmlns: false });
  parser.on('error', error => {
    throw error;
  });
  parser.on('doctype', () => {
    throw new Error('a DOCTYPE is not allowed');
  });
  parser.on('opentag', tag => {
    if (open.length > maxDepth) throw new Error(`nested deeper than ${maxDepth}`);
    open.push(elementOf(tag));
  });
  const addText = (part: string) => {
    const element = open.at(-1);
    if (element) element.text += part;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element) open.at(-1)?.children.push([element.name, contentOf(element)]);
  });
  try {
    parser.write(text).close();
  } catch (error) {
    throw new PorticoError('BAD_USER_INPUT', `The body is not well-formed XML: ${messageOf(error)}`);
  }
  return Object.fromEntries(root.children);
}

function elementOf({ name, attributes }: SaxesTagPlain): Element {
  return {
    name: decodeElementName(name),
    children: [],
    attributes: Object.entries(attributes).map(([key, value]) => [`@${key}`, value]),
    text: '',
  };
}

function contentOf({ children, attributes, text }: Element): unknown {
  if (children.length > 0) return Object.fromEntries([...attributes, ...children]);
  if (attributes.length === 0) return text.trim();
  const content = text.trim();
  return Object.fromEntries(content ? [...attributes, ['$', content]] : attributes);
}
