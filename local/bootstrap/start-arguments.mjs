// The arguments of `npm start`, read by its first step and again by the supervisor. Plain JavaScript for Node 18 to 24.

export const usage = `npm start [-- --ports auto]     starts CortexOS and stays up; Ctrl-C ends it
npm run dev                     the same, and restarts a service when its files change

  --edge         gateway and safety kernel in workerd, as at the edge, with Redis by REST
  --ports auto   every port of our own is chosen by the system
  --watch        restart on change (npm run dev)
`;

/** What was asked, and one line for each argument that nobody knows. */
export function startArguments(args) {
  const problems = [];
  let [watch, auto, edge, help] = [false, false, false, false];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === '--help' || arg === '-h') help = true;
    else if (arg === '--watch') watch = true;
    else if (arg === '--edge') edge = true;
    else if (arg === '--ports=auto') auto = true;
    else if (arg === '--ports' && args[i + 1] === 'auto') {
      auto = true;
      i++;
    } else problems.push(`${arg}: unknown argument (known: --edge, --ports auto, --watch, --help)`);
  }
  return { watch, auto, edge, help, problems };
}
