import { setFlagsFromString } from 'node:v8';
import { runProcess } from '../platform/process.ts';
import { gatewaySettings } from './config.ts';
import { startGateway } from './server.ts';

// Apollo Gateway reports to its vendor unless it is told not to, and takes no other setting for that.
process.env['APOLLO_TELEMETRY_DISABLED'] ??= 'true';

// No object of a request is a lasting one, however many outlive a collection under load: docs/decisions/023.
setFlagsFromString('--no-allocation-site-pretenuring');

await runProcess({ name: 'gateway', settings: gatewaySettings, start: startGateway });
