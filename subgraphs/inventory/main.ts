import { runProcess } from '../../platform/process.ts';
import { inventorySettings } from './config.ts';
import { startInventory } from './server.ts';

await runProcess({ name: 'inventory', settings: inventorySettings, start: startInventory });
