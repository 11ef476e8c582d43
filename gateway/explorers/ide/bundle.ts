import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Bundles GraphiQL, with its workers and fonts, into `generated/` beside this file: the gateway serves these files
 * without internet, and needs none of the packages that they are made of.
 *
 * @throws Error by esbuild, when a package is missing
 */
export async function bundleIde(): Promise<void> {
  const outdir = fileURLToPath(new URL('generated/', import.meta.url));
  await rm(outdir, { recursive: true, force: true });
  await build({
    entryPoints: {
      page: fileURLToPath(new URL('page.js', import.meta.url)),
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'linked',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.ttf': 'file', '.woff': 'file', '.woff2': 'file' },
    logLevel: 'warning',
  });
}
