import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';

/** The engine's class. Its constructor is private: the static method `new` builds an engine. */
export type SchemaEngineClass = typeof SchemaEngine;

/** The part of the global `WebAssembly` that is used here: the types of Node 20 do not declare its values. */
interface WebAssemblyNamespace {
  instantiate(
    bytes: Uint8Array,
    imports: Record<string, object>,
  ): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
}

let loading: Promise<SchemaEngineClass> | undefined;

/**
 * Loads Prisma's schema engine, compiled to WebAssembly, once a process.
 *
 * The package is made for bundlers, which resolve `import … from './schema_engine_bg.wasm'`. Node 20 does not, so the
 * module is instantiated here, as the package's own `schema_engine.js` would.
 */
export function loadSchemaEngine(): Promise<SchemaEngineClass> {
  loading ??= instantiate();
  return loading;
}

async function instantiate(): Promise<SchemaEngineClass> {
  const entry = '@prisma/schema-engine-wasm/schema_engine_bg';
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const file = join(dirname(createRequire(import.meta.url).resolve(entry)), 'schema_engine_bg.wasm');
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace };
  const { instance } = await WebAssembly.instantiate(await readFile(file), {
    './schema_engine_bg.js': withUnreferencedTimers(glue),
  });
  // The engine calls this with its last words. What follows is an uncaught exception that says no more than "unreachable".
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: reportPanic } });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue.SchemaEngine;
}

/** The engine leaves its timers running when what they were to interrupt is done: they must not keep a process alive. */
function withUnreferencedTimers(glue: object): object {
  const setUnreferencedTimeout = (callback: () => void, ms: number) => setTimeout(callback, ms >>> 0).unref();
  return Object.fromEntries(
    Object.entries(glue).map(([name, value]) => [
      name,
      name.startsWith('__wbg_setTimeout_') ? setUnreferencedTimeout : value,
    ]),
  );
}

function reportPanic(message: string): void {
  console.error(`Prisma's schema engine panicked: ${message}`);
}
