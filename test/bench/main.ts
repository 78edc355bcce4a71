// `npm run bench -- NAME`: measurements on real processes, printed for a person to read. Nothing here passes or fails; what CI gates
// is in counters.test.ts, because counters do not depend on how busy the machine is.
const benches: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>> = {
  path: async () => (await import('./path/run.ts')).benchPath,
  edge: async () => (await import('./edge/run.ts')).benchEdge,
  workflow: async () => (await import('./workflow/run.ts')).benchWorkflow,
  'context-budget': async () => (await import('./context-budget/run.ts')).benchContextBudget,
  context: async () => (await import('./context/repo.ts')).benchContext,
  store: async () => (await import('./store/run.ts')).benchStore,
};

const [name = '', ...args] = process.argv.slice(2);
const load = benches[name];
if (load === undefined) {
  console.error(`npm run bench -- ${Object.keys(benches).join('|')} [options]; --help after a name tells its options`);
  process.exitCode = 2;
} else {
  const bench = await load();
  try {
    await bench(args);
  } catch (error) {
    // A wrong option is told in its sentence; what goes wrong in a run, with where.
    const option = error instanceof Error && (error.message.startsWith('--') || 'code' in error);
    console.error(option ? error.message : error);
    process.exitCode = option ? 2 : 1;
  }
}
