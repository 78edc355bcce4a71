// The README's table of environment variables is what the processes declare, and holds every variable of the original.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readers } from '../../local/env-table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

interface Row {
  readonly name: string;
  readonly default: string;
  readonly readers: readonly string[];
  readonly what: string;
}

const section = /^## Environment\n([^]*?)^## /m.exec(read('README.md'))?.[1] ?? '';
const table: readonly Row[] = section
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [, name = '', fallback = '', by = '', what = '', ...rest] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    if (rest.join('') !== '') throw new Error(`a row with too many cells: ${line}`);
    return { name: name.slice(1, -1), default: fallback, readers: by.split(', '), what: what.replaceAll('\\|', '|') };
  });

/** What a cell says to one reader: `gateway, worker: this<br>CLI: that`, or the same to all. */
function toldTo(reader: string, cell: string): string {
  const parts = cell.split('<br>');
  if (parts.length === 1) return cell;
  for (const part of parts) {
    const [names = '', ...text] = part.split(': ');
    if (names.split(', ').includes(reader)) return text.join(': ');
  }
  return '';
}

describe('the table', () => {
  test('names each variable once, in order', () => {
    const names = table.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names).toEqual([...new Set(names)].sort());
  });

  test.each(table)('$name is as declared', (row) => {
    const found = readers.flatMap(({ name, rows }) =>
      rows.filter((declared) => declared.name === row.name).map((declared) => ({ by: name, declared })),
    );
    expect(row.readers).toEqual(found.map(({ by }) => by));
    for (const { by, declared } of found) {
      expect(toldTo(by, row.default), `default for ${by}`).toBe(
        declared.default === '' ? 'none' : `\`${declared.default}\``,
      );
      expect(toldTo(by, row.what), `what for ${by}`).toBe(declared.what);
    }
  });

  test('leaves out no declared variable', () => {
    const declared = new Set(readers.flatMap(({ rows }) => rows.map(({ name }) => name)));
    expect(table.map(({ name }) => name)).toEqual([...declared].sort());
  });

  test('has the variables of every process that there is', () => {
    const source = read('local/env-table.ts');
    const configs = globSync('{functions,services}/*/config.ts', { cwd: root });
    expect(configs.length).toBeGreaterThan(3);
    expect(configs.filter((path) => !source.includes(`'../${path}'`))).toEqual([]);
  });
});

/** Read without a declaration: names that the system, npm or a person's shell gives, and what our own commands tell each other. */
const undeclared = new Set([
  ...['PATH', 'TERM', 'NODE_OPTIONS', 'INIT_CWD', 'npm_lifecycle_event'],
  ...['CORTEX_SUPERVISED', 'CORTEX_LAUNCHED_BEFORE', 'CORTEX_TEST_RUN', 'CORTEX_RUNTIME_VERSION'],
]);

test('no code of ours reads a variable by a name that the table does not know', () => {
  const known = new Set([...undeclared, ...table.map(({ name }) => name)]);
  const files = globSync('{core,functions,services,local}/**/*.{ts,mjs,cjs}', { cwd: root });
  const names = files.flatMap((path) =>
    Array.from(read(path).matchAll(/\benv(?:\.|\[')([A-Za-z_]\w*)/g), ([, name = '']) => name),
  );
  expect(names).toContain('CORTEX_URL');
  expect(names.filter((name) => /^[A-Z]|^npm_/.test(name) && !known.has(name))).toEqual([]);
});

/** The original's variables: the default here, or whose affair it will be. */
const original: Readonly<Record<string, { readonly default: string } | { readonly notReadYet: string }>> = {
  NATS_URL: { default: '`nats://localhost:4222`' },
  REDIS_URL: { default: '`redis://localhost:6379`' },
  SAFETY_KERNEL_ADDR: { default: '`localhost:50051`' },
  SAFETY_POLICY_PATH: { default: '`config/safety.yaml`' },
  POOL_CONFIG_PATH: { default: '`config/pools.yaml`' },
  TIMEOUT_CONFIG_PATH: { default: '`config/timeouts.yaml`' },
  API_KEY: { default: 'none' },
  TENANT_ID: { default: '`default`' },
  WORKER_ID: { default: 'none' }, // the original's was the same for two processes on one machine
  MIN_SCAN_FILES: { default: '`1`' },
  API_RATE_LIMIT_RPS: { default: 'none' }, // 50 there
  API_RATE_LIMIT_BURST: { default: 'none' }, // 100 there
  GRPC_TLS_CERT: { default: 'none' },
  GRPC_TLS_KEY: { default: 'none' },
  SAFETY_KERNEL_TLS_CERT: { default: 'none' },
  SAFETY_KERNEL_TLS_KEY: { default: 'none' },
  SAFETY_KERNEL_TLS_CA: { default: 'none' },
  SAFETY_KERNEL_INSECURE: { default: 'none' },
  REDIS_DATA_TTL: { default: '`24h`' },
  REDIS_DATA_TTL_SECONDS: { default: 'none' },
  JOB_META_TTL: { default: '`168h`' },
  JOB_META_TTL_SECONDS: { default: 'none' },
  CONTEXT_ENGINE_ADDR: { default: '`localhost:50070`' },
  OLLAMA_URL: { default: 'none' }, // `http://ollama:11434` there: here a machine without Ollama answers `Echo:`
  OLLAMA_MODEL: { default: 'none' }, // `llama3` there, and here once OLLAMA_URL is set
  USE_PLANNER: { default: '`false`' },
  PLANNER_TOPIC: { default: '`job.workflow.plan`' },
  REPO_REVIEW_MAX_FILES: { notReadYet: 'the orchestrator, with the full review' },
  REPO_REVIEW_BATCH_SIZE: { notReadYet: 'the orchestrator, with the full review' },
  REPO_REVIEW_MAX_BATCHES: { notReadYet: 'the orchestrator, with the full review' },
  REPO_REVIEW_RUN_TESTS: { notReadYet: 'the orchestrator, with the full review' },
  REPO_REVIEW_TEST_COMMAND: { notReadYet: 'the orchestrator, with the full review' },
};

describe("the original's variables", () => {
  test.each(Object.entries(original))('%s', (name, wanted) => {
    const row = table.find((one) => one.name === name);
    // One that is read now must be moved from "not read yet" to its default.
    if ('notReadYet' in wanted) expect(row, `read by ${wanted.notReadYet}`).toBeUndefined();
    else expect(toldTo(row?.readers[0] ?? '', row?.default ?? 'no row')).toBe(wanted.default);
  });
});
