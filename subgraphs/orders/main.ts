import { runProcess } from '../../platform/process.ts';
import { ordersSettings } from './config.ts';
import { startOrders } from './server.ts';

await runProcess({ name: 'orders', settings: ordersSettings, start: startOrders });
