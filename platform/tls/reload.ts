import type { Server } from 'node:tls';
import { messageOf } from '../errors.ts';
import type { Closable } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { repeat } from '../repeat.ts';
import { readTlsMaterial, type TlsMaterial } from './material.ts';
import type { TlsConfig } from './settings.ts';

interface ReloadOptions {
  readonly server: Pick<Server, 'setSecureContext'>;
  readonly config: TlsConfig;
  /** What the server began with. */
  readonly material: TlsMaterial;
  readonly onRenewed?: (material: TlsMaterial) => void;
  readonly log: Logger;
}

/**
 * Looks at the files now and then, and gives the server a certificate that was renewed; connections that are open keep theirs.
 * Files that can't be used change nothing, and are logged once: when they are still the same at the next look, since the
 * certificate and its key are not written in one moment.
 */
export function reloadTls({ server, config, material, onRenewed, log }: ReloadOptions): Closable {
  let served = material;
  let fault: string | undefined;
  let toldOf: string | undefined;

  function look(): void {
    try {
      const found = readTlsMaterial(config);
      fault = undefined;
      toldOf = undefined;
      if (!found || isSame(found, served)) return;
      server.setSecureContext(found);
      served = found;
      onRenewed?.(found);
      log.info({ expiresAt: new Date(found.expiresAtMs).toISOString() }, 'Serving a renewed certificate');
    } catch (error) {
      const message = messageOf(error);
      if (message === fault && message !== toldOf) {
        toldOf = message;
        log.error(`The certificate was not renewed, and the old one is served on: ${message}`);
      }
      fault = message;
    }
  }

  return repeat(async () => {
    look();
    return config.TLS_RELOAD_INTERVAL_MS;
  });
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}
