import { runProcess } from '../../platform/process.ts';
import { notificationsSettings } from './config.ts';
import { startNotifications } from './server.ts';

await runProcess({ name: 'notifications', settings: notificationsSettings, start: startNotifications });
