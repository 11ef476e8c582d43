import { anyHost } from '../../platform/registry/host.ts';
import { refuse } from './fields.ts';

/**
 * Accepts the host of an instance.
 *
 * @throws PorticoError BAD_USER_INPUT when it is no host name or IP address, or an address where no service can be
 */
export function checkHost(host: string, field: string): string {
  const expected = anyHost.faultOf(host);
  if (expected !== undefined) refuse(field, expected, host);
  return host;
}

/**
 * Accepts an absolute http or https URL without credentials.
 *
 * @throws PorticoError BAD_USER_INPUT when it is anything else
 */
export function checkUrl(text: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') refuse(field, 'an http or https URL', text);
  if (url.username || url.password) refuse(field, 'a URL without credentials', text);
  checkHost(url.hostname.replace(/^\[|\]$/g, ''), field);
  return text;
}
