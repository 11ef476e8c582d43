/**
 * Makes an element. Text goes in as text and never as markup, since instances say what they like of themselves.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} properties properties of the element; `class` and `data-*` are attributes
 * @param {...(Node | string | null | undefined | false)} children what is falsy is left out
 * @returns {HTMLElement}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class' || name.includes('-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter(child => child !== undefined && child !== null && child !== false));
  return element;
}

/** Finds an element of the page by its id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Writes a duration for people: `8 s`, `3 min`, `2 h`. @param {number} ms */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Writes a time of day. @param {number} ms since 1970 */
export function timeOfDay(ms) {
  return new Date(ms).toLocaleTimeString([], { hour12: false });
}

/** A link, when the address is one that a browser may follow; the text alone otherwise. */
export function link(text, url) {
  const safe = typeof url === 'string' && /^https?:\/\//.test(url);
  return safe ? make('a', { href: url, rel: 'noreferrer', target: '_blank' }, text) : make('span', {}, text);
}
