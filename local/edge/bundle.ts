// Bundles a function for workerd: one ES module, nothing of Node in it.
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { Stop } from '../bootstrap/stop.mjs';

/** The newest date whose behaviour the workerd of package.json knows. */
export const compatibilityDate = '2026-07-30';

/** `enable_request_signal`: a client that goes away is told to the request's signal, and to nobody else. */
export const compatibilityFlags = ['enable_request_signal'] as const;

/**
 * Parts of packages that a function never uses: the random bytes of Node, which nats.ws asks for where there are none of the Web's, and
 * the sentences of zod in languages other than English, a third of the bundle.
 */
const leftOut: Plugin = {
  name: 'left-out',
  setup(bundler) {
    bundler.onResolve({ filter: /^crypto$/ }, ({ importer }) =>
      importer.includes('/nats.ws/') ? { path: 'crypto', namespace: 'left-out' } : undefined,
    );
    bundler.onLoad({ filter: /^crypto$/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
    bundler.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

export interface Bundle {
  readonly code: string;
  /** The files that went in, from the root of the checkout, and packages as `node_modules/...`. */
  readonly inputs: readonly string[];
  /** What it asks the runtime for. */
  readonly imports: readonly string[];
}

/** `functions/<name>/worker.ts`. */
export const workerEntry = (name: string): string => `functions/${name}/worker.ts`;

/** Bundles the worker at `entry`, from the root of the checkout. Throws Stop with what esbuild says when it cannot. */
export async function bundleWorker(root: string, entry: string): Promise<Bundle> {
  try {
    const { outputFiles, metafile } = await build({
      absWorkingDir: root,
      entryPoints: [join(root, entry)],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      conditions: ['workerd', 'worker', 'browser'],
      mainFields: ['browser', 'module', 'main'],
      target: 'es2024',
      minify: true,

      legalComments: 'none',
      external: ['cloudflare:*'],
      plugins: [leftOut],
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
    return { code: outputFiles[0]?.text ?? '', inputs: Object.keys(metafile.inputs), imports };
  } catch (error) {
    throw new Stop(`${entry} cannot be bundled: ${error instanceof Error ? error.message : String(error)}`);
  }
}
