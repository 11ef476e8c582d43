import { parseArgs } from 'node:util';
import { openDevKeys } from './keys.ts';
import { loadSystemSettings } from './settings.ts';

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
  const { PORTICO_DATA_DIR } = loadSystemSettings(process.env);
  const keys = await openDevKeys(PORTICO_DATA_DIR);
  console.log(await keys.mintToken(customer, { scopes: values.admin ? ['admin'] : [] }));
}
