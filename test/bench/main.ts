// `npm run bench -- NAME`: measurements on real processes, printed for a person to read. Nothing here passes or fails; what CI gates
// is in counters.test.ts, because counters do not depend on how busy the machine is.
const benches: Readonly<Record<string, () => Promise<(args: readonly string[]) => Promise<void>>>> = {
  path: async () => (await import('./path/run.ts')).benchPath,
};

const [name = '', ...args] = process.argv.slice(2);
const load = benches[name];
if (load === undefined) {
  console.error(`npm run bench -- ${Object.keys(benches).join('|')} [options]; --help after a name tells its options`);
  process.exitCode = 2;
} else {
  const bench = await load();
  await bench(args);
}
