import { PorticoError } from '../../platform/errors.ts';

/** A decoded body or a part of one, of which nothing is known yet. */
export type WireObject = Readonly<Record<string, unknown>>;

const maxShownLength = 80;

/**
 * Refuses what was sent.
 *
 * @param expected what the field must be, as a noun: `a list`
 * @throws PorticoError BAD_USER_INPUT, which says what the field must be, and what came
 */
export function refuse(field: string, expected: string, got: unknown): never {
  const shown = got === undefined ? 'nothing' : toText(got);
  const short = shown.length > maxShownLength ? `${shown.slice(0, maxShownLength)}…` : shown;
  throw new PorticoError('BAD_USER_INPUT', `${field} must be ${expected}; it is ${short}`);
}

function toText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return 'nested too deeply to be shown';
  }
}

/** Reads an object; null and nothing are undefined. @throws PorticoError when it is something else */
export function readObject(value: unknown, field: string): WireObject | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) refuse(field, 'an object', value);
  return value as WireObject;
}

interface TextRule {
  /** Largest number of UTF-16 units. */
  readonly maxLength: number;
  readonly pattern?: RegExp;
  /** The pattern in words. */
  readonly expected?: string;
}

/** Control characters, and what XML 1.0 cannot carry: half a surrogate pair and the non-characters. */
const unprintable = /[\p{Cc}\p{Surrogate}\ufffe\uffff]/u;

/** Reads a text; null, nothing and blanks are undefined. @throws PorticoError when it breaks the rule */
export function readText(value: unknown, field: string, rule: TextRule): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
  if (typeof text !== 'string') refuse(field, 'a text', value);
  if (text.trim() === '') return undefined;
  if (text.length > rule.maxLength) refuse(field, `a text of at most ${rule.maxLength} characters`, text);
  if (unprintable.test(text)) refuse(field, 'a text without control characters', text);
  if (rule.pattern && !rule.pattern.test(text)) refuse(field, rule.expected ?? `${rule.pattern}`, text);
  return text;
}

/** Reads a whole number, which may come as a text. @throws PorticoError when it is none, or out of bounds */
export function readInteger(
  value: unknown,
  field: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value;
  const fits = typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max;
  if (!fits) refuse(field, `a whole number from ${min} to ${max}`, value);
  return number;
}

/** Reads one of a few words, in any case. @throws PorticoError when it is another */
export function readWord<W extends string>(
  value: unknown,
  field: string,
  words: readonly W[],
): W | undefined {
  const text = readText(value, field, { maxLength: 100 });
  if (text === undefined) return undefined;
  return (
    words.find(word => word.toUpperCase() === text.toUpperCase()) ??
    refuse(field, `one of ${words.join(', ')}`, text)
  );
}
