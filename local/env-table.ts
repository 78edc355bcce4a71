// The README's table of environment variables, from what each process declares. `npm run env-table` prints it, with `-- --write` it
// replaces the one in the README; a test compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import { describeEnv, type EnvRow, type EnvSpec } from '#core/process/env.ts';
import { processEnv } from '#core/process/run.node.ts';
import { gatewayEnv, gatewayMetricsPort } from '../functions/gateway/config.ts';
import { gatewayEdgeEnv } from '../functions/gateway/edge-config.ts';
import { safetyEnv, safetyMetricsPort } from '../functions/safety/config.ts';
import { safetyEdgeEnv } from '../functions/safety/edge-config.ts';
import { contextEngineEnv, contextMetricsPort } from '../services/context-engine/config.ts';
import { orchestratorEnv, orchestratorMetricsPort } from '../services/orchestrator/config.ts';
import { schedulerEnv, schedulerMetricsPort } from '../services/scheduler/config.ts';
import { workerEnv, workerMetricsPort } from '../services/worker/config.ts';
import { cliEnv } from './cli/env.ts';
import { redisRestEnv, redisRestMetricsPort } from './redis-rest/config.ts';
import { services } from './services.ts';
import { addressEnv, upEnv } from './up/options.ts';

export interface Reader {
  readonly name: string;
  /** Each variable once. */
  readonly rows: readonly EnvRow[];
}

/** Everything that reads variables, and which. */
export const readers: readonly Reader[] = [
  reader('gateway', { ...processEnv(gatewayMetricsPort), ...gatewayEnv }),
  reader('safety kernel', { ...processEnv(safetyMetricsPort), ...safetyEnv }),
  reader('scheduler', { ...processEnv(schedulerMetricsPort), ...schedulerEnv }),
  reader('context engine', { ...processEnv(contextMetricsPort), ...contextEngineEnv }),
  reader('worker', { ...processEnv(workerMetricsPort), ...workerEnv }),
  reader('orchestrator', { ...processEnv(orchestratorMetricsPort), ...orchestratorEnv }),
  reader('Redis by REST', { ...processEnv(redisRestMetricsPort), ...redisRestEnv }),
  reader('gateway in workerd', gatewayEdgeEnv),
  reader('safety kernel in workerd', safetyEdgeEnv),
  reader('`npm start`', { ...addressEnv(services), ...upEnv }),
  { name: 'CLI', rows: cliEnv },
];

function reader(name: string, spec: EnvSpec): Reader {
  return { name, rows: describeEnv(spec) };
}

/** The lines of the table, one variable each, by name. */
export function envTable(): readonly string[] {
  const names = new Set(readers.flatMap(({ rows }) => rows.map((row) => row.name)));
  const lines = [...names].sort().map((name) => {
    const found = readers.flatMap((r) => r.rows.filter((row) => row.name === name).map((row) => ({ by: r.name, row })));
    const cells = [
      `\`${name}\``,
      perReader(found.map(({ by, row }) => ({ by, text: row.default === '' ? 'none' : `\`${row.default}\`` }))),
      found.map(({ by }) => by).join(', '),
      perReader(found.map(({ by, row }) => ({ by, text: row.what }))),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| variable | default | read by | what it does |', '| --- | --- | --- | --- |', ...lines];
}

/** The text that all share, or each text with those that it is for. */
function perReader(told: readonly { readonly by: string; readonly text: string }[]): string {
  const texts = [...new Set(told.map(({ text }) => text))];
  if (texts.length === 1) return texts.join();
  const readersOf = (text: string) => told.filter((one) => one.text === text).map(({ by }) => by);
  return texts.map((text) => `${readersOf(text).join(', ')}: ${text}`).join('<br>');
}

if (import.meta.main) {
  const unknown = process.argv.slice(2).filter((arg) => arg !== '--write');
  if (unknown.length > 0) {
    process.stderr.write(`cortex: ${unknown.join(' ')}: unknown argument (known: --write)\n`);
    process.exit(2);
  }
  const table = envTable().join('\n');
  if (process.argv.includes('--write')) {
    const file = new URL('../README.md', import.meta.url);
    const readme = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      readme.replace(/(?<=^## Environment\n[^]*?)^\| variable [^]*?\n(?!\|)/m, () => `${table}\n`),
    );
  } else process.stdout.write(`${table}\n`);
}
