import { runProcess } from '../../platform/process.ts';
import { settings } from './config.ts';
import { startOrders } from './server.ts';

await runProcess({ name: 'orders', settings, start: startOrders });
