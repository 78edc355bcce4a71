// `npm run smoke`: one job of each kind against a running system, by the CLI as a person types it: what the original's send-job scripts did.
// A kind that needs a model, where none is configured, says so in its one line: that is an answer, not a fault.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('cli/main.ts', import.meta.url));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Kind {
  readonly name: string;
  /** What is typed after `cortex`; `folder` is a small repository. */
  readonly args: (folder: string) => readonly string[];
  /** What is wrong with the answer, or a few words about it. */
  readonly look: (answer: Answer) => { readonly wrong: string } | { readonly said: string };
}

/** The job as JSON, or what was printed where that is a text. */
interface Answer {
  readonly text: string;
  readonly result: Readonly<Record<string, unknown>>;
}

const code = JSON.stringify({
  file_path: 'src/sum.ts',
  code_snippet: 'export const sum = (a: number, b: number): number => a - b;\n',
  instruction: 'sum must add',
});
const files = JSON.stringify({
  files: [
    { path: 'docs/readme.md', language: 'unknown', bytes: 400, loc: 10 },
    { path: 'src/auth/token.ts', language: 'typescript', bytes: 900, loc: 40 },
  ],
});
const wait = ['--wait=120', '--json'];

const kinds: readonly Kind[] = [
  {
    name: 'echo',
    args: () => ['submit', '--topic', 'job.echo', '--context', '{"n":7}', ...wait],
    look: ({ result }) => told(JSON.stringify(result['received_ctx']), /"n":7/),
  },
  {
    name: 'chat.simple',
    args: () => ['submit', 'hello', '--topic', 'job.chat.simple', ...wait],
    // What a model answers is its own affair; what answers without one is not.
    look: ({ result: { model, response } }) =>
      told(`${String(model)}: ${String(response)}`, model === 'echo' ? /: Echo: hello$/ : /: \S/),
  },
  {
    name: 'chat.advanced',
    args: () => ['chat', '--once', 'hello'],
    look: ({ text }) => told(text, /\S/),
  },
  {
    name: 'code.llm',
    args: () => ['submit', '--topic', 'job.code.llm', '--context', code, ...wait],
    look: ({ result }) => told(patchOf(result), /^--- a\/src\/sum\.ts\n\+\+\+ b\/src\/sum\.ts\n@@/m),
  },
  {
    name: 'workflow.plan',
    args: () => ['submit', '--topic', 'job.workflow.plan', '--context', files, ...wait],
    look: ({ result }) =>
      told(
        `by ${String(result['planned_by'])}: ${String(result['files'])}`,
        /token\.ts.*readme\.md|readme\.md.*token\.ts/,
      ),
  },
  {
    name: 'workflow.demo',
    args: () => ['submit', '--topic', 'job.workflow.demo', '--context', code, ...wait],
    look: ({ result }) => (patchOf(result) === '' ? { wrong: 'no patch' } : told(String(result['explanation']), /\S/)),
  },
  {
    name: 'repo review',
    args: (folder) => ['review', folder, '--wait=120', '--json'],
    look: ({ result }) => told(String(result['summary']), /\S/),
  },
];

function told(text: string, wanted: RegExp): { wrong: string } | { said: string } {
  return wanted.test(text) ? { said: text } : { wrong: `it answered ${JSON.stringify(text)}` };
}

function patchOf({ patch }: Answer['result']): string {
  return typeof patch === 'object' && patch !== null && 'content' in patch ? String(patch.content) : '';
}

/** What a model worker says where none is configured (services/worker/no-model.ts). */
const modelless = /no model is configured: [^\n"]*/;

function run(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [cli, ...args],
      { timeout: 150_000, maxBuffer: 64 * 2 ** 20 },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? 1, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

/** One line, cut: what a terminal shows at a glance. */
function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

if (process.argv.length > 2) {
  console.error(
    'npm run smoke takes no options: it sends one job of each kind to the system of CORTEX_URL, or the one that runs here',
  );
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'cortex-smoke-'));
const counts = { ok: 0, modelless: 0, failed: 0 };
try {
  writeFileSync(join(folder, 'main.ts'), "export const hello = 'world';\n".repeat(20));
  for (const { name, args, look } of kinds) {
    const began = performance.now();
    const { code: exit, stdout, stderr } = await run(args(folder));
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s`.padStart(7);
    const say = (word: string, text: string): void =>
      console.log(`${word.padEnd(8)} ${name.padEnd(14)} ${took}  ${short(text)}`);
    const none = modelless.exec(stdout) ?? modelless.exec(stderr);
    if (exit !== 0 && none !== null) {
      counts.modelless++;
      say('no model', none[0]);
      continue;
    }
    const found =
      exit === 0 ? look(answerOf(stdout)) : { wrong: errorOf(stdout) || stderr.trim() || `exit code ${exit}` };
    if ('said' in found) {
      counts.ok++;
      say('ok', found.said);
    } else {
      counts.failed++;
      say('FAILED', found.wrong);
      // Nobody is there: the others would say the same.
      if (exit === 3) break;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`smoke: ${counts.ok} ok, ${counts.modelless} without a model, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

function answerOf(text: string): Answer {
  try {
    const { result } = JSON.parse(text) as { result?: unknown };
    if (typeof result === 'object' && result !== null) return { text, result: result as Answer['result'] };
  } catch {
    // A text, as chat prints it.
  }
  return { text, result: {} };
}

function errorOf(text: string): string {
  try {
    const { error_code: errorCode, error_message: message } = JSON.parse(text) as {
      error_code?: string;
      error_message?: string;
    };
    return [errorCode, message].filter((part) => part !== undefined && part !== '').join(': ');
  } catch {
    return text.trim();
  }
}
