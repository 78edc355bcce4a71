// `npm run verify`: every check that needs no server. Plain JavaScript up to the guard, so that an old Node gets one line
// instead of a syntax error; the work is in local/verify/.
//   npm run verify                  all gates
//   npm run verify -- lint types    these gates
//   npm run verify -- --fix         formats and completes the lockfile first
const WANTED = 24;
if (Number.parseInt(process.versions.node, 10) < WANTED) {
  console.error(
    `cortex: verify needs Node ${WANTED}, this is ${process.version}: run it as npm run verify, after npm install`,
  );
  process.exitCode = 1;
} else {
  const { main } = await import('./verify/main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
