// The first step of the CLI, on any Node from 18 on. local/cli/main.ts is a link to it.
// A Node before 22.18 cannot read TypeScript and says so in a stack trace; but what the package.json in this folder calls
// CommonJS it reads as plain JavaScript, whatever its suffix. So there are no types and no import declarations here.

void (async () => {
  if (Number.parseInt(process.versions.node, 10) >= 24) {
    const { main } = await import('../cli/cli.ts');
    process.exitCode = await main();
    return;
  }
  const [{ spawn }, { constants }, { dirname }, { findRuntime }, { Stop }] = await Promise.all([
    import('node:child_process'),
    import('node:os'),
    import('node:path'),
    import('../bootstrap/runtime.mjs'),
    import('../bootstrap/stop.mjs'),
  ]);
  let runtime = '';
  try {
    runtime = findRuntime(dirname(dirname(__dirname)));
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`cortex: ${error.message}\n`);
    process.exitCode = 2; // not the 1 of a Stop: with us that is a job that FAILED
    return;
  }
  const child = spawn(runtime, [__filename, ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches both of us; the one that knows what it was doing answers it. A kill reaches this one alone.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
})();
