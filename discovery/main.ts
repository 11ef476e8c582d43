import { runProcess } from '../platform/process.ts';
import { discoverySettings } from './config.ts';
import { startDiscovery } from './server.ts';

await runProcess({ name: 'discovery', settings: discoverySettings, start: startDiscovery });
