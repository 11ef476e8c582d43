import { runProcess } from '../../platform/process.ts';
import { productsSettings } from './config.ts';
import { startProducts } from './server.ts';

await runProcess({ name: 'products', settings: productsSettings, start: startProducts });
