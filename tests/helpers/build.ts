import { build } from '../../dev/build.ts';

/** Compiles the processes once, before the first scenario starts them. */
export async function setup(): Promise<void> {
  await build();
}
