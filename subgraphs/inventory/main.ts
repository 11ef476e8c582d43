import { runProcess } from '../../platform/process.ts';
import { settings } from './config.ts';
import { startInventory } from './server.ts';

await runProcess({ name: 'inventory', settings, start: startInventory });
