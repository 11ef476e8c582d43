import { join } from 'node:path';
import { messageOf } from '../platform/errors.ts';
import { handOut, readSecret } from './secrets/hand-out.ts';

const usage = `usage: secrets give <consumer>/<file>[=<text with {SECRET}>] ...   write what each consumer gets
       secrets show <SECRET>                                         print a secret`;

const folder = process.env['SECRETS_DIR'] || '/secrets';
const keptDir = join(folder, 'kept');
const [command, ...args] = process.argv.slice(2);
try {
  if (command === 'give' && args.length > 0) {
    const { made } = await handOut({ folder, keptDir, gifts: args, env: process.env });
    if (made.length > 0) console.log(`made ${made.join(', ')}`);
  } else if (command === 'show' && args.length === 1) console.log(await readSecret(keptDir, args[0] ?? ''));
  else throw new Error(usage);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
