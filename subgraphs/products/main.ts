import { runProcess } from '../../platform/process.ts';
import { settings } from './config.ts';
import { startProducts } from './server.ts';

await runProcess({ name: 'products', settings, start: startProducts });
