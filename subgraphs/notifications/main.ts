import { runProcess } from '../../platform/process.ts';
import { settings } from './config.ts';
import { startNotifications } from './server.ts';

await runProcess({ name: 'notifications', settings, start: startNotifications });
