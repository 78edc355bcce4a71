// `npm run eval -- NAME`: how good an answer is, where that is a matter of more or less. Printed for a person to read, like the benches.
const evals: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>> = {
  retrieval: async () => (await import('./retrieval/run.ts')).evalRetrieval,
};

const [name = '', ...args] = process.argv.slice(2);
const load = evals[name];
if (load === undefined) {
  console.error(`npm run eval -- ${Object.keys(evals).join('|')} [options]; --help after a name tells its options`);
  process.exitCode = 2;
} else {
  const run = await load();
  try {
    await run(args);
  } catch (error) {
    // A wrong option is told in its sentence; what goes wrong in a run, with where.
    const option = error instanceof Error && (error.message.startsWith('--') || 'code' in error);
    console.error(option ? error.message : error);
    process.exitCode = option ? 2 : 1;
  }
}
