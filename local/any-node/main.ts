// The first step of the CLI, on any Node from 18 on. local/cli/main.ts is a link to it.
// A Node before 22.18 cannot read TypeScript and says so in a stack trace; but what the package.json in this folder calls
// CommonJS it reads as plain JavaScript, whatever its suffix. So there are no types and no import declarations here.

void (async () => {
  const [{ existsSync }, { join }, { Stop }] = await Promise.all([
    import('node:fs'),
    import('node:path'),
    import('../bootstrap/stop.mjs'),
  ]);
  const root = join(__dirname, '..', '..');
  try {
    if (!existsSync(join(root, 'node_modules', 'zod'))) {
      throw new Stop(`${root} is not installed: npm install there, or npm start, which does it too`);
    }
    await (Number.parseInt(process.versions.node, 10) >= 24 ? here() : onNode24());
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`cortex: ${error.message}\n`);
    process.exitCode = 2; // not the 1 of a Stop: with us that is a job that FAILED
  }

  async function here() {
    // To strip types takes as long as all the rest of a command, so what comes of it is kept.
    const { enableCompileCache } = await import('node:module');
    enableCompileCache(join(root, 'node_modules', '.cache', 'cortex-cli'));
    const { main } = await import('../cli/cli.ts');
    process.exitCode = await main();
  }

  async function onNode24() {
    const [{ spawn }, { constants }, { findRuntime }] = await Promise.all([
      import('node:child_process'),
      import('node:os'),
      import('../bootstrap/runtime.mjs'),
    ]);
    const child = spawn(findRuntime(root), [__filename, ...process.argv.slice(2)], { stdio: 'inherit' });
    // Ctrl-C reaches both of us; the one that knows what it was doing answers it. A kill reaches this one alone.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    process.exitCode = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
    });
  }
})();
