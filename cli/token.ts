import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openDevKeys } from './keys.ts';

const usage = 'usage: npm run token -- <customer> [--admin]';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { admin: { type: 'boolean', default: false } },
});
const [customer, ...more] = positionals;
if (!customer || more.length > 0) {
  console.error(usage);
  process.exitCode = 2;
} else {
  const dataDir = process.env['PORTICO_DATA_DIR'] || join(import.meta.dirname, '..', '.portico');
  const keys = await openDevKeys(dataDir);
  console.log(await keys.mintToken(customer, { scopes: values.admin ? ['admin'] : [] }));
}
